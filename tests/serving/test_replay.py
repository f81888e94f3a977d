"""Ten thousand varied decisions come out of the log exactly as they went in; what changes is told."""

from __future__ import annotations

import asyncio
import json
import random
import time
from datetime import date, timedelta

import msgspec
import pytest

from classifier.tiers import tier_probabilities
from serving.app import build_gateway
from serving.errors import WeighbridgeError
from serving.records import Attempt, Outcome, Usage
from serving.replay import Change, Replay, replay
from serving.rollout import Rollout
from serving.routing.explanation import as_dict
from serving.routing.policy import Policy
from serving.routing.request import Limits
from serving.routing.router import decide
from serving.routing.tokens import count_tokens
from serving.settings import build_callers, load_settings
from serving.state.sqlite import SQLiteLog
from serving.weigher import Weighing
from tests.running import ROOT, weighbridge, write_settings

DECISIONS = 10_000
FIRST_DAY = date(2026, 11, 1)


def deployment(name, tier, usd, **more):
    return {
        "name": name, "adapter": "demo", "tier": tier, "usd_per_million_input": usd,
        "usd_per_million_output": 4 * usd, "context_window_tokens": 30_000, "first_token_ms": 200 + 10 * usd,
        "output_tokens_per_second": 90, "capabilities": ["tools", "streaming"],
    } | more  # fmt: skip


SETTINGS = {
    "catalog": {"include_defaults": False},
    "policy": {
        "control_share": 0.1, "exploration_share": 0.05, "share_window": 200, "share_least_decisions": 50,
    },
    "tables": {"failure_threshold": 3, "cooldown_s": 0.05},
    "sensitive": {"card": ["pci_dss"], "email": ["gdpr"]},
    "log": {"queue_size": 20_000, "prompts": "text"},
    "callers": [
        {"name": "batch", "api_key_env": "BATCH_KEY", "max_cost_usd": 0.002, "cost_versus_quality": 0.2},
        {"name": "law", "api_key_env": "LAW_KEY", "compliance": ["gdpr"], "quality_floor": 0.85},
    ],
    "budgets": [{"name": "law, each day", "usd": 0.03, "per": "day", "caller": "law"}],
    "rules": [
        {"name": "poems", "when": {"words": ["poem"]}, "then": {"needs": "premium", "control_group": False}},
        {"name": "codes", "when": {"regex": "def |import "}, "then": {"minimum_tier": "standard"}},
        {"name": "pinned", "when": {"metadata": {"team": "a"}}, "then": {"pin": ["mid-2", "top-1"]}},
    ],
    "deployments": [
        deployment("small-1", "economy", 0.1, usd_per_million_cached_read=0.01, tokenizer="llama3"),
        deployment("small-2", "economy", 0.15, compliance=["gdpr"], context_window_tokens=2_000),
        deployment("small-3", "economy", 0.02, released="@2026-01-01", sunset="@2026-11-15"),
        deployment("mid-1", "standard", 2.0, tokenizer="o200k", compliance=["gdpr", "pci_dss"]),
        deployment("mid-2", "standard", 1.8, capabilities=["tools", "vision"], max_output_tokens=800),
        deployment("top-1", "premium", 9.0, compliance=["gdpr", "pci_dss", "hipaa"], tokenizer="claude"),
        deployment("top-2", "premium", 8.0, usd_per_million_cached_read=0.2),
    ],
}  # fmt: skip


class Traffic:
    """Varied requests from a seed: needs, keys, conversations, users, media of rules, sizes."""

    def __init__(self, callers):
        self.draw = random.Random(5)
        self.prompts = [
            json.loads(line)["prompt"]
            for name in ("everyday", "plain", "mixed")
            for line in (ROOT / f"training/corpus/{name}.jsonl").read_text(encoding="utf-8").splitlines()
            if "prompt" in json.loads(line)
        ]
        self.callers = [None] * 8 + [*callers]

    def text(self):
        times = 400 if self.draw.random() < 0.01 else 1
        extra = [*[""] * 40, " write a poem", " import os", " card 4111 1111 1111 1111", " me@example.org"]
        return self.draw.choice(self.prompts) * times + self.draw.choice(extra)

    def limits(self):
        draw, found = self.draw, {}
        choices = {
            "max_cost_usd": [1e-5, 0.0005, 0.01], "max_latency_ms": [1_000.0, 5_000.0, 60_000.0],
            "max_first_token_ms": [205.0, 400.0], "quality_floor": [0.6, 0.9, 0.999],
            "minimum_tier": ["standard", "premium"], "maximum_tier": ["economy", "standard"],
            "capabilities": [frozenset({"vision"}), frozenset({"tools"})],
            "compliance": [frozenset({"gdpr"}), frozenset({"hipaa"}), frozenset({"x-nobody"})],
            "allow": [frozenset({"small-1", "mid-1", "top-1"})], "deny": [frozenset({"small-1"})],
            "pin": [("mid-1", "small-1"), ("top-2",)], "cost_versus_quality": [0.0, 0.3, 0.5, 0.9, 1.0],
        }  # fmt: skip
        for name in choices:
            if draw.random() < 0.04:
                found[name] = draw.choice(choices[name])
        return Limits(**found)

    def weighing(self):
        draw, text = self.draw, self.text()
        conversation = f"talk {draw.randrange(300)}" if draw.random() < 0.4 else ""
        tools = [
            {"type": "function", "function": {"name": f"f{n}"}} for n in range(draw.choice([0, 0, 0, 2]))
        ]
        messages = [{"role": "user", "content": text}]
        tokens = count_tokens(text)
        return Weighing(
            endpoint="/route",
            model=draw.choice(["auto"] * 12 + ["mid-1", "small-3"]),
            prompt={"messages": messages} | ({"tools": tools} if tools else {}),
            input_tokens=tokens["o200k"].expected,
            tokens=tokens,
            output_tokens=draw.choice([None, None, 50, 2_000]),
            limits=self.limits(),
            caller=draw.choice(self.callers),
            text=text,
            user=f"user {draw.randrange(100)}" if draw.random() < 0.8 else None,
            metadata={"team": "a"} if draw.random() < 0.02 else {},
            conversation=conversation,
            goes_on=bool(conversation),
            shape="tools" if tools else "text",
            logged_text=json.dumps(messages) if draw.random() < 0.5 else None,
        )

    def outcome(self, decision):
        draw, chosen = self.draw, decision.chosen.deployment
        fails = draw.random() < (0.9 if (draw.random() < 0.02 or chosen == "top-2") else 0.02)
        attempt = Attempt(chosen, "error" if fails else "ok", 300.0, "overloaded" if fails else None)
        return Outcome(
            decision_id=decision.request.decision_id,
            finished_at=0.0,
            status=attempt.status,
            deployment=None if fails else chosen,
            streamed=True,
            usage=Usage(10, draw.randrange(1, 900)),
            cost_usd=0.0,
            first_token_ms=draw.uniform(50, 900),
            latency_ms=draw.uniform(900, 9_000),
            attempts=(attempt,),
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("replayed")


@pytest.fixture(scope="module")
def made(folder):
    """Make ten thousand decisions through the gateway, and return them; the log is closed behind them."""
    path = write_settings(folder, **SETTINGS)
    path.write_text(path.read_text().replace('"@', "").replace('15"', "15").replace('01"', "01"))
    environ = {"BATCH_KEY": "b", "LAW_KEY": "l"}
    settings = load_settings(path, environ)
    gateway = build_gateway(settings, environ)
    traffic = Traffic(build_callers(settings, environ, gateway.catalog).values())
    found = []
    weigh = gateway.weigher.weigh

    def kept(weighing):
        decided = weigh(weighing)
        found.append(decided.decision)
        return decided

    gateway.weigher.weigh = kept
    asyncio.run(life(gateway, traffic))
    assert gateway.writer.dropped == 0
    return found


async def life(gateway, traffic):
    """Let the traffic come, with answers, failures, opinions and spending in between."""
    await gateway.start()
    weigher, draw = gateway.weigher, traffic.draw
    for number in range(DECISIONS):
        weigher._today = lambda day=FIRST_DAY + timedelta(days=number // 350): day
        try:
            decision = gateway.route(traffic.weighing()).decision
        except WeighbridgeError:
            continue
        chosen, prediction = decision.chosen, decision.prediction
        if draw.random() < 0.5:
            weigher.finished(traffic.outcome(decision))
        if draw.random() < 0.1:
            shares = list(zip(prediction.tiers, tier_probabilities(prediction.sufficiency), strict=True))
            weigher.tables.rated(chosen.deployment, draw.uniform(0.8, 1.0), shares, time.time())
        if draw.random() < 0.1:
            weigher.budgets.spend_soon(decision.request.caller, chosen.deployment, 10**6)
            await weigher.budgets.settled()
    assert await asyncio.to_thread(gateway.writer.flush, 60.0)
    await gateway.close()


@pytest.fixture
def log(folder, made):
    opened = SQLiteLog(folder / "decisions.db")
    yield opened
    opened.close()


def test_the_ten_thousand_are_as_varied_as_traffic_is(made):
    assert len(made) == DECISIONS
    reasons = {decision.reason for decision in made}
    assert reasons >= {
        "least_total_cost", "control_group", "stays_with_conversation", "share_cap", "pinned",
        "only_candidate", "requested_by_name", "exploration", "no_eligible_deployment",
    }  # fmt: skip
    codes = {row.code for decision in made for row in decision.rejected}
    assert codes >= {
        "compliance", "sunset", "unavailable", "cost", "latency", "first_token", "quality_floor", "tier",
        "capability", "context_window", "output_limit", "denied", "not_allowed", "not_pinned",
        "not_requested", "budget",
    }  # fmt: skip
    assert {decision.prediction.source for decision in made} == {"classifier", "rule"}
    assert {word for decision in made for word in decision.request.sensitive} == {"card", "email"}
    assert {word for decision in made for word in decision.request.rules} == {"poems", "codes", "pinned"}
    assert len({decision.snapshot_version for decision in made}) > 1_000
    assert any(decision.share.shifts for decision in made)
    assert any(decision.request.headroom for decision in made)


def test_the_live_tables_that_the_log_gives_back_are_learned_and_differ(made, log):
    """What a decision went by is more than the catalog: speeds, errors and qualities that moved."""
    states = [state for entry in log.entries() for state in entry.logged.inputs.snapshot.states.values()]
    for name in ("first_token_ms", "output_tokens_per_second", "error_rate", "requests", "unavailable"):
        assert len({getattr(state, name) for state in states}) > (1 if name == "unavailable" else 100)
    assert len({tuple(state.quality.items()) for state in states if state.quality}) > 100


def test_every_decision_comes_out_of_the_log_as_it_was_made_bit_for_bit(made, log):
    again = {entry.row["decision_id"]: decide(*entry.logged.inputs) for entry in log.entries()}
    assert len(again) == DECISIONS
    for decision in made:
        replayed = again[decision.request.decision_id]
        assert replayed == decision
        assert repr(replayed.ranking) == repr(decision.ranking)
        assert [row.total_usd.hex() for row in replayed.ranking] == [
            row.total_usd.hex() for row in decision.ranking
        ]


def test_the_explanation_in_the_log_is_that_of_the_decision_made_again(made, log):
    stored = {row["decision_id"]: row["explanation"] for row in log.export()}
    for entry in log.entries():
        again = msgspec.json.decode(msgspec.json.encode(as_dict(decide(*entry.logged.inputs))))
        told = stored[entry.row["decision_id"]]
        assert {name: told[name] for name in again} == again


def test_the_command_says_that_every_decision_came_out_as_logged(folder, made):
    done = weighbridge("replay", "--config", "weighbridge.toml", cwd=folder, BATCH_KEY="b", LAW_KEY="l")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10,000 decisions from" in done.stdout
    assert "Every decision came out exactly as it was logged." in done.stdout


def test_an_artifact_reads_a_logged_prompt_as_it_was_read(made, log, champion):
    """The same artifact as another one: its predictions are those of the log wherever the prompt is."""
    rollout = Rollout(champion)
    predicted = [
        (entry.logged.inputs.prediction, rollout.predict(prompt_of(entry)))
        for entry in log.entries()
        if entry.row["prompt"] is not None and entry.logged.inputs.prediction.source == "classifier"
    ]
    assert len(predicted) > 3_000
    assert all(before == after for before, after in predicted)


def prompt_of(entry):
    from serving.replay import _prompt

    return _prompt(entry.row["prompt"], entry.logged)


@pytest.fixture(scope="module")
def champion():
    from classifier.artifact import bundled_models, champion_folder
    from classifier.tier_classifier import TierClassifier

    return TierClassifier.load(champion_folder(bundled_models()))


def played(log, change, entries=None):
    result = Replay()
    flips = list(replay(log.entries() if entries is None else entries, change, result))
    return result, flips


def test_without_a_prompt_another_artifact_cannot_be_asked_and_that_is_counted(made, log, champion):
    result, _ = played(log, Change(artifact=Rollout(champion)))
    ((reason, count),) = result.left_out.items()
    assert 'log.prompts is not "text"' in reason
    assert result.replayed + count == DECISIONS
    assert count > 3_000


def test_a_policy_that_pays_more_for_quality_costs_more_and_expects_more(made, log):
    result, flips = played(log, Change(policy=Policy(usd_per_lost_quality=1.0)))
    assert result.after.cost_usd > 1.2 * result.before.cost_usd
    assert result.after.mean_quality > result.before.mean_quality
    assert result.after.share("premium") > result.before.share("premium")
    assert len(flips) == result.flips > 500
    assert all(flip.before.deployment != flip.after.deployment for flip in flips)


def test_a_policy_that_is_the_same_moves_next_to_nothing(made, log):
    """Only the share of the lowest tier is counted anew, and starts a little otherwise."""
    policy = next(iter(log.entries())).logged.inputs.policy
    result, _ = played(log, Change(policy=policy, share_window=200, share_least=50))
    assert result.flips < 0.02 * DECISIONS


def test_a_tighter_cap_is_kept_over_the_period_though_the_log_had_a_looser_one(made, log):
    loose, _ = played(log, Change(policy=Policy(share_cap=1.0)))
    tight, _ = played(log, Change(policy=Policy(share_cap=0.2), share_window=200, share_least=50))
    assert loose.after.share("economy") > 0.1
    assert tight.after.share("economy") < 0.8 * loose.after.share("economy")
