"""The log leaves the house as JSON Lines, whole, and never half under its own name."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner

from serving.cli.export import export_log
from serving.state.sqlite import SQLiteLog
from tests.serving.state.records import decision, feedback, outcome

DAY_S = 86_400


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)

    def command(*arguments):
        result = CliRunner().invoke(export_log, list(arguments))
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return command


@pytest.fixture
def log(tmp_path):
    (tmp_path / "weighbridge.toml").write_text('log.path = "kept.db"')
    log = SQLiteLog(tmp_path / "kept.db")
    now_s = time.time()
    log.write([decision(age, created_at=now_s - age * DAY_S) for age in (1, 3, 10)])
    log.write([outcome(1), feedback(1, of=1)])
    yield log
    log.close()


def ids(text):
    return [json.loads(line)["decision_id"] for line in text.splitlines()]


def test_every_decision_is_a_line_oldest_first(run, log):
    assert ids(run().output) == ["dec_10", "dec_3", "dec_1"]


def test_outcome_and_feedback_travel_with_their_decision(run, log):
    last = json.loads(run().output.splitlines()[-1])
    assert (last["outcome"]["status"], last["feedback"][0]["score"]) == ("ok", 1.0)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2d", ["dec_1"]),
        ("1w", ["dec_3", "dec_1"]),
        ("60m", []),
        ("2001-01-01", ["dec_10", "dec_3", "dec_1"]),
    ],
)
def test_since_takes_an_age_or_a_date(run, log, since, expected):
    assert ids(run("--since", since).output) == expected


def test_a_time_with_a_zone_is_that_moment(run, log):
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() - 2 * DAY_S))
    assert ids(run("--since", moment).output) == ["dec_1"]


@pytest.mark.parametrize("since", ["yesterday", "7", "7y", "-3d", "2026-13-01", "", "9999999999d"])
def test_what_is_no_moment_is_told(run, log, since):
    result = run(f"--since={since}")
    assert result.exit_code == 2
    assert "7d" in result.output


def test_a_file_is_written_whole_and_nothing_else_is_left(run, log, tmp_path):
    assert run("-o", "out.jsonl").exit_code == 0
    assert len(ids((tmp_path / "out.jsonl").read_text())) == 3
    assert not list(tmp_path.glob("*.part"))


def test_a_damaged_log_leaves_an_older_export_as_it_was(run, log, tmp_path):
    log.write([decision(number) for number in range(1_000, 3_000)])
    log.close()
    content = bytearray((tmp_path / "kept.db").read_bytes())
    content[40_000:60_000] = b"\xff" * 20_000
    (tmp_path / "kept.db").write_bytes(bytes(content))
    (tmp_path / "out.jsonl").write_text("older")
    result = run("-o", "out.jsonl")
    assert result.exit_code == 1
    assert "Move the file away" in result.output
    assert (tmp_path / "out.jsonl").read_text() == "older"
    assert not list(tmp_path.glob("*.part"))


def test_a_place_that_cannot_be_written_is_told(run, log):
    result = run("-o", "no/such/folder.jsonl")
    assert result.exit_code == 1
    assert "cannot be written" in result.output


def test_without_a_log_nothing_is_created(run, tmp_path):
    result = run()
    assert result.exit_code == 1
    assert "no decision log" in result.output
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings_are_told(run, tmp_path):
    (tmp_path / "weighbridge.toml").write_text("log.pth = 1")
    result = run()
    assert result.exit_code == 1
    assert "Did you mean 'path'" in result.output
