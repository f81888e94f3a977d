"""A file of feedback is stored line by line: a bad line is told by its number, the rest stays."""

from __future__ import annotations

import gzip
import json

import pytest
from click.testing import CliRunner

from serving.cli.feedback import feedback
from serving.state.sqlite import SQLiteLog
from tests.serving.state.records import decision


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    (tmp_path / "weighbridge.toml").write_text('log.path = "kept.db"\nfeedback.judge_weight = 0.25\n')
    log = SQLiteLog(tmp_path / "kept.db")
    log.write([decision(number, caller="shop") for number in range(1, 1_201)])
    yield log
    log.close()


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def run(*arguments, stdin=None):
    return CliRunner().invoke(feedback, ["import", *arguments], input=stdin)


def opinions(log):
    return {row["decision_id"]: row["feedback"] for row in log.export() if row["feedback"]}


GOOD = [
    {"decision_id": "dec_1", "label": "too_weak", "comment": "no", "given_at": 1_500.0},
    {"decision_id": "dec_2", "score": 0.25, "source": "judge"},
    {"decision_id": "dec_3", "comparison": {"other_decision_id": "dec_4", "prefers": "neither"}},
]
BAD = [
    ("not json", "not valid JSON"),
    ('{"decision_id": "dec_1", "score": NaN}', "not valid JSON"),
    ({"decision_id": "dec_1", "score": 2}, "score"),
    ({"decision_id": "dec_nobody", "score": 1}, "dec_nobody"),
    ({"decision_id": "dec_1", "lable": "fine"}, "lable"),
    ({"decision_id": "dec_1"}, "score"),
    ("[]", "JSON object"),
    ('{"decision_id": "dec_1", "comment": "\xff', "JSON"),
]


def test_every_line_is_stored_as_the_service_would(log, tmp_path):
    (tmp_path / "given.jsonl").write_text(lines(GOOD[0], "", *GOOD[1:]))
    result = run("given.jsonl")
    assert result.exit_code == 0, result.output
    assert "3 stored, 0 known already, 0 not taken" in result.output
    found = opinions(log)
    assert sorted(found) == ["dec_1", "dec_2", "dec_3"]
    assert (found["dec_1"][0]["label"], found["dec_1"][0]["created_at"]) == ("too_weak", 1_500.0)
    assert (found["dec_2"][0]["source"], found["dec_2"][0]["weight"]) == ("judge", 0.25)
    assert found["dec_3"][0]["comparison"]["other_tier"] == "economy"


def test_bad_lines_are_named_by_number_and_the_rest_is_stored(log, tmp_path):
    given = [GOOD[0], *(row for row, _ in BAD), GOOD[1]]
    (tmp_path / "given.jsonl").write_text(lines(*given), encoding="latin-1")
    result = run("given.jsonl", "--rejected", "left.jsonl")
    assert result.exit_code == 1
    for number, (_, told) in enumerate(BAD, start=2):
        line = next(line for line in result.output.splitlines() if line.startswith(f"line {number}: "))
        assert told in line
    assert f"2 stored, 0 known already, {len(BAD)} not taken" in result.output
    assert sorted(opinions(log)) == ["dec_1", "dec_2"]
    left = (tmp_path / "left.jsonl").read_text(encoding="latin-1")
    assert left == lines(*(row for row, _ in BAD))


def test_importing_a_file_again_changes_nothing(log, tmp_path):
    (tmp_path / "given.jsonl").write_text(lines(*GOOD, GOOD[0]))
    assert "3 stored, 1 known already" in run("given.jsonl").output
    before = opinions(log)
    assert "0 stored, 4 known already" in run("given.jsonl").output
    assert opinions(log) == before


def test_an_id_that_says_something_else_is_not_taken(log):
    rows = [{"decision_id": "dec_1", "feedback_id": "a", "score": score} for score in (1, 0)]
    result = run("-", stdin=lines(*rows))
    assert result.exit_code == 1
    assert "line 2: feedback_id: 'a' already says something else" in result.output
    assert [given["score"] for given in opinions(log)["dec_1"]] == [1.0]


def test_a_later_line_of_a_source_is_its_last_word(log):
    rows = [{"decision_id": "dec_1", "score": 0.1}, {"decision_id": "dec_1", "score": 0.9}]
    run("-", stdin=lines(*rows))
    assert [(given["score"], given["holds"]) for given in opinions(log)["dec_1"]] == [
        (0.1, False),
        (0.9, True),
    ]


def test_more_lines_than_a_batch_all_arrive(log, tmp_path):
    rows = [{"decision_id": f"dec_{number}", "thumb": "up"} for number in range(1, 1_201)]
    with gzip.open(tmp_path / "given.jsonl.gz", "wt") as out:
        out.write(lines(*rows))
    assert "1,200 stored" in run("given.jsonl.gz").output
    assert len(opinions(log)) == 1_200


def test_a_packed_file_cut_short_is_told_and_what_came_before_stays(log, tmp_path):
    rows = [
        {"decision_id": f"dec_{number}", "comment": str(number) * 9, "score": 1} for number in range(1, 1_201)
    ]
    packed = gzip.compress(lines(*rows).encode())
    (tmp_path / "given.jsonl.gz").write_bytes(packed[: len(packed) * 3 // 4])
    result = run("given.jsonl.gz")
    assert result.exit_code == 1
    assert "not a whole gzip file" in result.output
    assert len(opinions(log)) == 500


def test_a_file_that_is_not_there_is_told(log):
    result = run("nowhere.jsonl")
    assert result.exit_code == 1
    assert "nowhere.jsonl" in result.output
