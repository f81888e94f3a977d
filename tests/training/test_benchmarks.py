from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.benchmarks import HeldOutError, fingerprints, held_out_name, known_rows

QUESTION = "A farmer has twelve crates of pears and sells three of them each morning until none are left over"


@pytest.mark.parametrize(
    "name",
    ["MMLU", "gsm-8k", "lm-sys/mt_bench", "FLASK", "Router Arena", "arena-hard-v2.0", "routellm/evals"],
)
def test_a_benchmark_is_known_by_its_name_whatever_the_case_and_punctuation(name):
    assert held_out_name(name)


@pytest.mark.parametrize("name", ["nine_models", "routerbench", "clinc150", "arena", "bench"])
def test_other_names_are_not_taken_for_benchmarks(name):
    assert held_out_name(name) is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("q.jsonl", json.dumps({"turns": [QUESTION]}) + "\n\n"),
        ("q.json", json.dumps([{"deep": {"er": QUESTION}}])),
        ("q.csv", f'id,question\n1,"{QUESTION}"\n'),
        ("q.txt", QUESTION),
    ],
)
def test_a_row_is_found_by_content_in_each_kind_of_file(tmp_path, file, text):
    tmp_path.joinpath(file).write_text(text)
    prompts = ["Tell me a story", f"Answer briefly. {QUESTION.upper()}!!"]
    assert known_rows(prompts, fingerprints(tmp_path)) == {1: file}


def test_packed_files_are_read_too(tmp_path):
    tmp_path.joinpath("q.jsonl.gz").write_bytes(gzip.compress(json.dumps({"q": QUESTION}).encode()))
    assert known_rows([QUESTION], fingerprints(tmp_path)) == {0: "q.jsonl.gz"}


def test_a_form_that_many_rows_share_is_no_match_but_the_question_in_it_is(tmp_path):
    form = "Print only a single choice from A or B or C or D without any explanation at all please"
    tmp_path.joinpath("q.txt").write_text(f"{QUESTION} {form}")
    prompts = [f"{form} number {number}" for number in range(20)] + [f"{QUESTION} {form}"]
    assert list(known_rows(prompts, fingerprints(tmp_path))) == [20]


def test_a_short_text_counts_only_as_a_whole(tmp_path):
    tmp_path.joinpath("q.txt").write_text("Name the capital of Peru\nYes")
    prompts = ["name the capital of peru?", "Name the capital of Peru and of Chile", "Yes"]
    assert list(known_rows(prompts, fingerprints(tmp_path))) == [0]


@given(st.lists(st.sampled_from(["ash", "birch", "cedar"]), min_size=12, max_size=40))
def test_words_that_never_met_the_benchmark_are_never_refused(tmp_path_factory, words):
    folder = tmp_path_factory.mktemp("held")
    folder.joinpath("q.txt").write_text(QUESTION)
    assert known_rows([" ".join(words)], fingerprints(folder)) == {}


def test_a_folder_without_text_and_a_damaged_file_are_named(tmp_path):
    with pytest.raises(HeldOutError, match="holds no text"):
        fingerprints(tmp_path)
    tmp_path.joinpath("q.jsonl").write_text("{")
    with pytest.raises(HeldOutError, match=r"q\.jsonl cannot be read"):
        fingerprints(tmp_path)
