"""`weighbridge score` weighs every row of a file and keeps what else the row holds."""

from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner

from classifier.artifact import bundled_models, champion_folder
from serving.cli.score import score

ROWS = [
    {"id": 7, "prompt": "Are you open on Sunday?", "tags": ["a", {"b": None}]},
    {"messages": [{"role": "user", "content": "Prove that e is irrational."}], "größe": "schön"},
    {"prompt": "Translate 'thank you' into Polish.", "sufficiency": "an old value"},
]
ADDED = {"sufficiency", "required_tier", "artifact"}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(score, list(arguments), input=stdin)

    return invoke


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def parsed(text):
    return [json.loads(line) for line in text.splitlines()]


def test_each_row_keeps_its_fields_and_gains_its_tier(run, tmp_path):
    (tmp_path / "in.jsonl").write_text(lines(*ROWS))
    done = run("in.jsonl")
    assert done.exit_code == 0
    weighed = parsed(done.stdout)
    for row, out in zip(ROWS, weighed, strict=True):
        assert {name: value for name, value in out.items() if name not in ADDED} == {
            name: value for name, value in row.items() if name not in ADDED
        }
        assert list(out["sufficiency"]) == ["economy", "standard", "premium"]
        assert out["required_tier"] in out["sufficiency"]
        assert out["artifact"] == champion_folder(bundled_models()).name


def test_standard_input_and_output_give_the_same_as_files(run, tmp_path):
    (tmp_path / "in.jsonl").write_text(lines(*ROWS))
    assert run("in.jsonl", "-o", "out.jsonl").exit_code == 0
    assert run("-", stdin=lines(*ROWS)).stdout == (tmp_path / "out.jsonl").read_text()


def test_a_compressed_file_is_read(run, tmp_path):
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(lines(*ROWS).encode()))
    assert len(parsed(run("in.jsonl.gz").stdout)) == len(ROWS)


BAD = {
    "cut off": '{"prompt": "a"',
    "not JSON": "prompt: a",
    "an array": '["a"]',
    "a number": "1",
    "neither": '{"text": "a"}',
    "both": '{"prompt": "a", "messages": []}',
    "prompt is a number": '{"prompt": 1}',
    "prompt is null": '{"prompt": null}',
    "no messages": '{"messages": []}',
    "messages is text": '{"messages": "a"}',
    "a message is text": '{"messages": ["a"]}',
    "content is a number": '{"messages": [{"role": "user", "content": 1}]}',
    "too deep": '{"prompt": ' + "[" * 20_000,
    "deep inside a field": '{"prompt": "a", "b": ' + "[" * 20_000 + "]" * 20_000 + "}",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_row_is_told_by_its_line_and_the_rest_goes_on(run, bad):
    done = run("-", stdin=lines(ROWS[0]) + bad + "\n\n" + lines(ROWS[1]))
    assert done.exit_code == 1
    assert len(parsed(done.stdout)) == 2
    assert "line 2: " in done.stderr
    assert "2 rows weighed, 1 could not be read." in done.stderr


def test_bytes_that_are_no_text_are_a_bad_row(run):
    done = run("-", stdin=b'{"prompt": "\xff"}\n' + lines(ROWS[0]).encode())
    assert done.exit_code == 1
    assert "line 1: " in done.stderr
    assert len(parsed(done.stdout)) == 1


def test_an_empty_file_gives_an_empty_file(run, tmp_path):
    (tmp_path / "in.jsonl").write_text("")
    assert run("in.jsonl", "-o", "out.jsonl").exit_code == 0
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_a_file_without_a_last_line_break_is_read_to_its_end(run):
    assert len(parsed(run("-", stdin=lines(*ROWS).rstrip("\n")).stdout)) == len(ROWS)


def test_odd_characters_come_out_as_they_went_in(run):
    row = {"prompt": "a\x00b \u202e \U0001f600 e\u0301"}
    assert parsed(run("-", stdin=lines(row)).stdout)[0]["prompt"] == row["prompt"]


def test_rows_stay_in_order_over_many_batches(run):
    done = run("-", stdin=lines(*({"n": n, "prompt": f"How much is {n} + 1?"} for n in range(600))))
    assert [row["n"] for row in parsed(done.stdout)] == list(range(600))


def cut_off(content):
    return gzip.compress(content)[:-12]


def spoiled(content):
    return b"\x1f\x8b\x08\x00" + b"\xff" * 50


@pytest.mark.parametrize(
    "damage", [cut_off, spoiled, lambda content: content], ids=["cut", "spoiled", "plain"]
)
def test_a_damaged_compressed_file_is_told_and_leaves_nothing_behind(run, tmp_path, damage):
    (tmp_path / "in.jsonl.gz").write_bytes(damage(lines(*ROWS).encode()))
    done = run("in.jsonl.gz", "-o", "out.jsonl")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl.gz"]


@pytest.mark.parametrize(
    "arguments",
    [["nowhere.jsonl"], ["in.jsonl", "--artifact", "nowhere"], ["in.jsonl", "-o", "no/such/out"], ["."]],
)
def test_what_cannot_be_opened_is_told_without_a_traceback(run, tmp_path, arguments):
    (tmp_path / "in.jsonl").write_text(lines(*ROWS))
    done = run(*arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_an_output_that_was_there_stays_until_the_new_one_is_whole(run, tmp_path):
    (tmp_path / "in.jsonl.gz").write_bytes(cut_off(lines(*ROWS).encode()))
    (tmp_path / "out.jsonl").write_text("the old one")
    assert run("in.jsonl.gz", "-o", "out.jsonl").exit_code == 1
    assert (tmp_path / "out.jsonl").read_text() == "the old one"
