"""A shadow is held against what was said of the same prompts, a canary against the champion's outcomes."""

from __future__ import annotations

import json
import math

import pytest
from click.testing import CliRunner

from serving.cli.compare import compare
from serving.records import ShadowPrediction
from serving.state.sqlite import SQLiteLog
from tests.serving.state.records import TIERS, decision, feedback, outcome

RANKING = [{"deployment": "demo-economy", "tier": "economy"}]


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    (tmp_path / "weighbridge.toml").write_text('log.path = "kept.db"\n')
    log = SQLiteLog(tmp_path / "kept.db")
    yield log
    log.close()


def weighed(number, needs="economy", shadow=None, **changes):
    told = {"required_tier": needs, "ranking": RANKING}
    said = None
    if shadow is not None:
        enough = (0.9, 0.95, 1.0) if shadow == "economy" else (0.1, 0.95, 1.0)
        said = lambda: ShadowPrediction("next", TIERS, enough, shadow)  # noqa: E731
    return decision(number, explanation=told, shadow=said, **changes)


def run(*arguments):
    return CliRunner().invoke(compare, list(arguments))


def test_a_shadow_is_compared_decision_by_decision(log):
    log.write([weighed(n, shadow="economy" if n < 8 else "standard") for n in range(10)])
    log.write([feedback(n, of=n, score=float(n % 2)) for n in range(4)])
    result = run()
    assert result.exit_code == 0, result.output
    assert "v1 answered 10 decisions" in result.output
    assert "next watched 10 decisions of v1" in result.output
    assert "agrees    80.0%; a lower tier 0.0%, a higher one 20.0%" in result.output
    assert "economy 80.0%, standard 20.0%, premium 0.0%" in result.output
    own = -(math.log(0.8) + math.log(0.2)) / 2
    difference = -(math.log(0.9) + math.log(0.1)) / 2 - own
    assert f"log loss {own:.4f}, the shadow's {difference:+.4f} beside it, of 4 graded" in result.output
    assert "too few to tell" in result.output


def test_with_enough_feedback_the_difference_has_an_interval(log):
    log.write([weighed(n, shadow="economy") for n in range(60)])
    log.write([feedback(n, of=n, score=float(n % 10 > 0)) for n in range(60)])
    assert "(± 0." in run().output


def test_what_one_conversation_says_again_and_again_makes_nothing_sure(log):
    log.write([weighed(n, shadow="economy", conversation=f"c{n // 30}") for n in range(60)])
    log.write([feedback(n, of=n, score=float(n % 10 > 0)) for n in range(60)])
    assert "too few to tell" in run().output
    log.write([weighed(n, shadow="economy", conversation=f"c{n // 2}") for n in range(100, 200)])
    log.write([feedback(n, of=n, score=float(n % 10 > 1)) for n in range(100, 200)])
    half = json.loads(run("--json").output)["answered"]["v1"]["good_half_interval"]
    alone = 1.96 * math.sqrt(0.16 / 160)
    assert half > 1.2 * alone
    assert f"(± {half:.1%}) of 160 good" in run().output


def test_a_canary_is_compared_by_what_came_of_its_decisions(log):
    log.write([weighed(n, artifact="v1" if n < 6 else "next") for n in range(10)])
    log.write([outcome(n, status="error" if n == 9 else "ok") for n in range(10)])
    log.write([feedback(n, of=n, score=0.0 if n < 3 else 1.0) for n in range(10)])
    found = json.loads(run("--json").output)["answered"]
    assert (found["v1"]["decisions"], found["next"]["decisions"]) == (6, 4)
    assert (found["v1"]["good"], found["v1"]["graded"]) == (3, 6)
    assert (found["next"]["good"], found["next"]["failed"]) == (4, 1)
    assert "next answered 4 decisions" in run().output


def test_only_the_last_word_counts_and_contradiction_is_undecided(log):
    log.write([weighed(1, shadow="economy"), weighed(2, shadow="economy")])
    log.write([feedback(1, of=1, source="human", score=0.0), feedback(2, of=1, source="human", score=1.0)])
    log.write([feedback(1, of=2, source="human", score=0.0), feedback(2, of=2, source="check", score=1.0)])
    found = json.loads(run("--json").output)
    assert (found["answered"]["v1"]["good"], found["answered"]["v1"]["graded"]) == (1, 1)
    assert found["shadows"][0]["graded"] == 1


def test_what_no_classifier_weighed_and_the_judges_own_are_left_out(log):
    log.write([weighed(1, prediction_source="fallback"), weighed(2, endpoint="judge")])
    result = run()
    assert result.exit_code == 1
    assert "No decision" in result.output


def test_since_leaves_out_what_is_older(log):
    log.write([weighed(1)])
    assert run("--since", "1h").exit_code == 1
