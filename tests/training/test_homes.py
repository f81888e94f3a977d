"""Homes as users meet them: the real client over real HTTP, small files of our own in the homes' layouts."""

from __future__ import annotations

import csv
import json
import sys
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from classifier.artifact import sha256
from training import homes
from training.config import TrainingConfig
from training.downloads import LOCK, RemoteFile
from training.homes import HOMES, read_home
from training.outcomes import load_outcomes, read_source
from training.sources import SOURCES, Outcome, SourceError
from weighbridge import main

datasets = pytest.importorskip("datasets")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A folder, and the address under which it is served."""
    folder = tmp_path_factory.mktemp("home")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def clinc(folder: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "intent": datasets.ClassLabel(names=["oos", "weather"])}
    )
    for split in ("train", "validation", "test"):
        rows = {"text": [f"will it rain, {split}?", "prove it"], "intent": [1, 0]}
        file = folder / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(file))


ANSWERS = {"mistralai/mistral-7b-chat": [0.0, 1.0, 1.0, 0.5], "gpt-4-1106-preview": [1.0, 1.0, 1.0, 1.0]}


def routerbench(folder: Path) -> None:
    prompts = [
        "Which metal floats on water?",
        ["Add 2 and 3.", "Double it."],
        "Nine pears, eaten two?",
        "Rate it.",
    ]
    columns: dict[str, list] = {
        "sample_id": ["arc-challenge.test.1", "mmlu-anatomy.val.2", "grade-school-math.dev.3", "mtbench.4"],
        "prompt": [str(one if isinstance(one, list) else [one]) for one in prompts],
        "eval_name": ["arc-challenge", "mmlu-anatomy", "grade-school-math", "mtbench"],
        **ANSWERS,
        **{f"{model}|model_response": ["A"] * 4 for model in ANSWERS},
    }
    frame = pd.DataFrame(columns).astype(object)
    for model in ANSWERS:
        frame[f"{model}|total_cost"] = [0.001] * 4
    frame["oracle_model_to_route_to"] = pd.Series(["gpt-4-1106-preview"] * 4, dtype=object)
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    frame.to_pickle(folder / "routerbench_0shot.pkl", protocol=5)


def llmrouter_rows(split: str) -> list[dict]:
    shared = {"ground_truth": "4", "metric": "em", "response": "4", "embedding_id": 0, "token_num": 9}
    asked = [("trivia_qa", f"Who wrote it? {split}"), ("gsm8k", f"How many pears? {split}")]
    return [
        {"task_name": task, "query": query, **shared, "model_name": model, "performance": score}
        for task, query in asked
        for model, score in (("small", 0.0), ("large", 1.0))
    ]


def nine_models(folder: Path) -> None:
    for split in ("train", "test"):
        rows = llmrouter_rows(split)
        rows[0]["ground_truth"] = ["a list", "in one row"]
        file = folder / f"default_routing_{split}_data.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def xroutebench(folder: Path) -> None:
    for split in ("train", "test"):
        rows = [{**row, "choices": None, "response_time": 0.5} for row in llmrouter_rows(split)]
        datasets.Dataset.from_list(rows).to_parquet(str(folder / f"{split}.parquet"))


def arena_55k(folder: Path) -> None:
    names = ["id", "model_a", "model_b", "prompt", "response_a", "response_b"]
    votes = ["winner_model_a", "winner_model_b", "winner_tie"]
    with (folder / "train.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(names + votes)
        turns = '["Name a river.", "And a\\nlonger one?", null]'
        out.writerow([7, "vicuna-7b", "gpt-4-0613", turns, '["Rhine"]', '["Nile"]', 0, 1, 0])
        out.writerow([8, "vicuna-7b", "gpt-4-0613", '["Say hi \\ud83d"]', '["hi"]', '["hi"]', 0, 0, 1])


MAKERS = {one.__name__: one for one in (clinc, routerbench, nine_models, xroutebench, arena_55k)}
MAKERS["clinc150"] = MAKERS.pop("clinc")


@pytest.fixture
def home(served, monkeypatch):
    """Return a function that makes a source's home out of our files, pinned to their checksums or not."""
    folder, address = served

    def make(name: str, *, pinned: bool = True) -> Path:
        place = folder / name
        place.mkdir(exist_ok=True)
        MAKERS[name](place)
        files = tuple(
            RemoteFile(f"{address}/{name}/{one.name}", sha256(place / one.name) if pinned else None)
            for one in HOMES[name].files
        )
        monkeypatch.setitem(HOMES, name, replace(HOMES[name], files=files))
        return place

    return make


def read(name: str, tmp_path: Path) -> list[Outcome]:
    return list(read_home(SOURCES[name], tmp_path / "cache"))


def test_clinc_gives_requests_with_an_intent(home, tmp_path):
    home("clinc150")
    assert read("clinc150", tmp_path) == [
        Outcome(f"clinc-{split}-0", "clinc150", "weather", f"will it rain, {split}?")
        for split in ("train", "validation", "test")
    ]


def test_routerbench_gives_the_scores_of_a_pickled_table_and_its_turns_as_text(home, tmp_path):
    home("routerbench")
    found = read("routerbench", tmp_path)
    assert [one.prompt for one in found[:2]] == ["Which metal floats on water?", "Add 2 and 3.\n\nDouble it."]
    assert [one.scores for one in found] == [
        {model: scores[place] for model, scores in ANSWERS.items()} for place in range(4)
    ]
    assert (found[0].id, found[0].task) == ("rb-arc-challenge.test.1", "arc-challenge")


@pytest.mark.parametrize("name", ["nine_models", "xroutebench"])
def test_llmrouter_gives_one_row_per_prompt_with_the_scores_of_all_its_models(home, tmp_path, name):
    home(name)
    found = read(name, tmp_path)
    assert [(one.task, one.prompt) for one in found[:2]] == [
        ("trivia_qa", "Who wrote it? train"),
        ("gsm8k", "How many pears? train"),
    ]
    assert len(found) == 4
    assert all(one.scores == {"small": 0.0, "large": 1.0} for one in found)


def test_arena_gives_a_vote_as_two_scores(home, tmp_path):
    home("arena_55k")
    assert [(one.id, one.prompt, one.scores) for one in read("arena_55k", tmp_path)] == [
        ("arena-7", "Name a river.\n\nAnd a\nlonger one?", {"vicuna-7b": 0.0, "gpt-4-0613": 1.0}),
        ("arena-8", "Say hi ?", {"vicuna-7b": 0.5, "gpt-4-0613": 0.5}),
    ]


def test_copies_of_a_homes_files_in_a_folder_are_read_too_and_proved(home, tmp_path):
    place = home("routerbench")
    config = TrainingConfig(sources_from=place, cache=tmp_path)
    assert len(list(read_source(SOURCES["routerbench"], config))) == 4
    (place / "routerbench_0shot.pkl").write_bytes(b"other")
    with pytest.raises(SourceError, match=r"not the file that is known: .* which is pinned"):
        list(read_source(SOURCES["routerbench"], config))


def test_a_fetched_file_of_another_checksum_is_refused(home, tmp_path, monkeypatch):
    home("arena_55k")
    other = tuple(replace(one, sha256="0" * 64) for one in HOMES["arena_55k"].files)
    monkeypatch.setitem(HOMES, "arena_55k", replace(HOMES["arena_55k"], files=other))
    with pytest.raises(SourceError, match=r"train.csv is not the file that is known"):
        read("arena_55k", tmp_path)


def test_without_a_published_checksum_the_first_fetch_is_kept_to(home, tmp_path):
    place = home("arena_55k", pinned=False)
    read("arena_55k", tmp_path)
    lock = tmp_path / "cache" / LOCK
    (url,) = (one.url for one in HOMES["arena_55k"].files)
    assert json.loads(lock.read_text()) == {url: sha256(place / "train.csv")}
    before = lock.read_text()
    (place / "train.csv").write_text("changed")
    for kept in (tmp_path / "cache" / "datasets").glob("*"):
        if kept.is_file():
            kept.unlink()
    with pytest.raises(SourceError, match=r"when it was first fetched \(sources.lock.json\)"):
        read("arena_55k", tmp_path)
    assert lock.read_text() == before
    lock.write_text("[")
    with pytest.raises(SourceError, match=r"sources.lock.json cannot be read.*remove it to trust"):
        read("arena_55k", tmp_path)


def test_without_a_connection_it_says_what_to_do(monkeypatch, tmp_path):
    nobody = (RemoteFile("http://127.0.0.1:9/train.csv"),)
    monkeypatch.setitem(HOMES, "arena_55k", replace(HOMES["arena_55k"], files=nobody))
    with pytest.raises(
        SourceError, match=r"could not be fetched .* Check the connection .*127.0.0.1:9/train.csv .*--from"
    ):
        read("arena_55k", tmp_path)


def test_without_the_client_it_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SourceError, match=r"weighbridge\[sources\]"):
        read("clinc150", tmp_path)


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("nine_models", "default_routing_test_data.jsonl", '{"query": "no task"}\n'),
        ("arena_55k", "train.csv", "id,prompt\n1,no list\n"),
        ("routerbench", "routerbench_0shot.pkl", "no pickle"),
        ("clinc150", "test-00000-of-00001.parquet", "no table"),
    ],
)
def test_a_home_of_another_format_is_said(home, tmp_path, name, file, text):
    place = home(name, pinned=False)
    (place / file).write_text(text)
    with pytest.raises(SourceError, match=r"not in the format that is known|cannot be read as"):
        read(name, tmp_path)


@pytest.mark.parametrize("name", [name for name, one in HOMES.items() if one.rows is None])
def test_a_home_that_cannot_be_read_offers_the_folder(name, tmp_path):
    with pytest.raises(SourceError, match=f"{name} cannot be fetched: .*--from"):
        read(name, tmp_path)


def test_every_source_has_a_home_and_what_is_pinned_names_its_revision():
    assert HOMES.keys() == SOURCES.keys()
    for one in HOMES.values():
        for file in one.files:
            assert (file.sha256 is None) == ("/main/" in file.url)
            assert file.url.startswith(
                ("https://huggingface.co/datasets/", "https://raw.githubusercontent.com/")
            )


def test_tasks_that_are_called_after_a_benchmark_never_train(home, tmp_path):
    home("routerbench")
    tiers = {"economy": ("mistralai/mistral-7b-chat",), "standard": ("gpt-4-1106-preview",)}
    config = TrainingConfig(
        sources=("routerbench",),
        cache=tmp_path,
        tiers=("economy", "standard"),
        outcome_tiers={"routerbench": tiers},
    )
    found = load_outcomes(config)
    assert found.names == ("routerbench/arc-challenge",)
    (facts,) = found.facts
    assert facts["rows"] == 1
    assert facts["held_out"] == {
        "GSM8K (as RouteLLM measures it)": 1,
        "MMLU (as RouteLLM measures it)": 1,
        "MT-Bench": 1,
    }
    assert not facts["matched"]
    assert list(facts["fetched"].values()) == [one.sha256 for one in homes.HOMES["routerbench"].files]


def test_what_comes_from_where_a_benchmark_comes_from_trains_only_beside_that_benchmark(home, tmp_path):
    home("arena_55k")
    config = TrainingConfig(sources=("arena_55k",), cache=tmp_path)
    with pytest.raises(SourceError, match=r"may hold prompts of Arena-Hard and MT-Bench.*--held-out"):
        load_outcomes(config)
    held = tmp_path / "held"
    held.mkdir()
    held.joinpath("arena_hard.jsonl").write_text(json.dumps("name a river, and a longer one") + "\n")
    tiers = {"economy": ("vicuna-7b",), "standard": ("gpt-4-0613",)}
    found = load_outcomes(
        replace(config, held_out_from=held, tiers=tuple(tiers), outcome_tiers={"arena_55k": tiers})
    )
    assert found.facts[0]["matched"]
    assert found.facts[0]["held_out"] == {"arena_hard.jsonl": 1}
    assert len(found.readings) == 1


def test_the_command_says_the_licence_and_what_was_left_out(home, tmp_path):
    place = home("routerbench")
    settings = tmp_path / "training.toml"
    tiers = 'economy = ["mistralai/mistral-7b-chat"]\nstandard = ["gpt-4-1106-preview"]\n'
    settings.write_text(
        f'tiers = ["economy", "standard"]\ncache = "{tmp_path}"\n[outcome_tiers.routerbench]\n{tiers}'
    )
    shown = CliRunner().invoke(
        main, ["sources", "routerbench", "--from", str(place), "--config", str(settings)]
    )
    assert shown.exit_code == 0, shown.output
    assert "licence MIT" in shown.output
    (file,) = HOMES["routerbench"].files
    assert f"routerbench_0shot.pkl: SHA-256 {file.sha256}, pinned" in shown.output
    assert "left out as kept for measurement: 3, 1 of MMLU" in shown.output
    assert "1 tasks: arc-challenge 1" in shown.output
