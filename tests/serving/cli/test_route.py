"""`weighbridge route` tells one decision as a sum of dollars."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from serving.cli.route import route

EASY = "What is the capital of France?"
LINE = re.compile(
    r"^(?P<name>\S+) +quality (?P<quality>[\d.]+)   \$(?P<tokens>[\d.]+) tokens "
    r"\+ \$(?P<waiting>[\d.]+) waiting \+ \$(?P<lost>[\d.]+) lost quality = \$(?P<total>[\d.]+)"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command in an empty folder and environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("WEIGHBRIDGE_CONFIG", "OPENAI_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(route, list(arguments), input=stdin)

    return invoke


def sums(text):
    return [found for found in map(LINE.match, text.splitlines()) if found]


def test_the_shown_parts_add_up_to_the_shown_sum(run):
    rows = sums(run(EASY).output)
    assert rows
    for row in rows:
        parts = sum(float(row[part]) for part in ("tokens", "waiting", "lost"))
        # three rounded parts against one rounded sum
        assert parts == pytest.approx(float(row["total"]), abs=2.1e-5)


def test_the_least_sum_stands_first_and_is_marked(run):
    printed = run(EASY).output
    totals = [float(row["total"]) for row in sums(printed)]
    assert totals == sorted(totals)
    marked = [line for line in printed.splitlines() if line.endswith("chosen")]
    assert len(marked) == 1
    assert marked[0].startswith(sums(printed)[0]["name"])


def test_what_is_rejected_says_why(run):
    printed = run(EASY, "--compliance", "hipaa").output
    assert re.search(r"^demo-economy +not cleared for hipaa$", printed, re.MULTILINE)


def test_the_json_is_the_same_decision(run):
    decision = json.loads(run(EASY, "--json").output)
    shown = {row["name"]: float(row["total"]) for row in sums(run(EASY).output)}
    assert {
        row["deployment"]: pytest.approx(row["total_usd"], abs=1e-5) for row in decision["ranking"]
    } == shown
    assert decision["deployment"] == decision["ranking"][0]["deployment"]


def test_a_prompt_can_come_from_standard_input(run):
    from_input = json.loads(run("-", "--json", stdin=EASY).output)
    assert from_input["sufficiency"] == json.loads(run(EASY, "--json").output)["sufficiency"]


def test_limits_that_nobody_meets_show_every_reason_and_end_with_1(run):
    done = run(EASY, "--max-cost-usd", "0.000000001")
    assert done.exit_code == 1
    assert done.output.count("at most") == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "gpt-nobody", EASY], "gpt-nobody"),
        (["--quality-floor", "2", EASY], "quality_floor"),
        (["--max-cost-usd", "-1", EASY], "max_cost_usd"),
        (["--max-cost-usd", "nan", EASY], "max_cost_usd"),
        ([""], "prompt"),
        (["--config", "missing.toml", EASY], "missing.toml"),
    ],
)
def test_what_cannot_be_used_is_told_without_a_traceback(run, arguments, told):
    done = run(*arguments)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert told in done.output


def test_a_decision_leaves_no_file_behind(run, tmp_path):
    run(EASY)
    assert list(tmp_path.iterdir()) == []


def test_a_capability_that_nobody_has_is_told_for_each_deployment(run):
    done = run(EASY, "--capability", "audio")
    assert done.exit_code == 1
    assert done.output.count("cannot do audio") == 3


def test_capabilities_add_up(run):
    done = run(EASY, "--capability", "tools", "--capability", "json_schema", "--json")
    rejected = {row["deployment"]: row["code"] for row in json.loads(done.output)["rejected"]}
    assert rejected["demo-economy"] == "capability"
