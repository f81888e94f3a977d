"""What the decision log says of the past, for counters and tables that start anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from classifier.tiers import tier_probabilities
from serving.records import Attempt, Feedback, Outcome, Usage
from serving.routing.headroom import NANODOLLARS_PER_DOLLAR, nanodollars, worst_cost_nanousd
from serving.state.interface import DecisionLog
from serving.tables.budgets import Charge
from serving.tables.live import LiveTables

_ONLY_DECIDED = "/route"
# Decisions are found again by their time, which is not quite exact in a database.
_MOMENT_S = 0.001


def charges_in(log: DecisionLog, since: float) -> Iterator[Charge]:
    """Yield what each decision from a moment on counts for in budgets.

    One that was dispatched and left no outcome (the process was killed) counts as the most it may have cost.
    """
    for row in log.export(since):
        for deployment, usd in _charged(log, row):
            if deployment and usd:
                yield Charge(row["created_at"], row["caller"], deployment, nanodollars(usd))


def _charged(log: DecisionLog, row: Mapping[str, Any]) -> Iterator[tuple[str | None, float | None]]:
    outcome = row["outcome"]
    if outcome is None:
        if row["endpoint"] != _ONLY_DECIDED:
            yield row["deployment"], _most_usd(log, row)
        return
    charged = [one for one in outcome["attempts"] if one.get("charged_usd") is not None]
    yield from ((one["deployment"], one["charged_usd"]) for one in charged)
    if not charged:
        yield outcome["deployment"], outcome["cost_usd"]


def _most_usd(log: DecisionLog, row: Mapping[str, Any]) -> float | None:
    """Return the most that a decision may have cost, by what it went by; else what it was expected to."""
    at_s = row["created_at"]
    for entry in log.entries(at_s - _MOMENT_S, at_s + _MOMENT_S):
        if entry.row["decision_id"] != row["decision_id"] or entry.logged is None:
            continue
        inputs = entry.logged.inputs
        chosen = inputs.catalog.deployments.get(row["deployment"])
        most = None if chosen is None else worst_cost_nanousd(inputs.request, chosen)
        if most is not None:
            return most / NANODOLLARS_PER_DOLLAR
    expected_usd: float | None = row["expected_cost_usd"]
    return expected_usd


def outcome_in(row: Mapping[str, Any]) -> Outcome | None:
    """Return what became of an exported decision, None where nothing is known."""
    told = row["outcome"]
    if told is None:
        return None
    return Outcome(
        decision_id=row["decision_id"],
        finished_at=told["finished_at"],
        status=told["status"],
        deployment=told["deployment"],
        streamed=told["streamed"],
        usage=Usage(told["input_tokens"], told["output_tokens"], told["cached_input_tokens"]),
        cost_usd=told["cost_usd"],
        first_token_ms=told["first_token_ms"],
        latency_ms=told["latency_ms"],
        attempts=tuple(Attempt(**attempt) for attempt in told["attempts"]),
        error=told["error"],
    )


def rate(tables: LiveTables, row: Mapping[str, Any], given: Feedback) -> None:
    """Let feedback on an exported decision count for the deployment that answered it."""
    outcome = row["outcome"]
    deployment = (outcome and outcome["deployment"]) or row["deployment"]
    if deployment and given.quality is not None:
        tables.rated(deployment, given.quality, tier_shares_in(row), given.created_at, given.weight)


def rate_again(tables: LiveTables, row: Mapping[str, Any]) -> None:
    """Let all feedback that an exported decision has count again."""
    for told in row["feedback"]:
        grade = {name: told.get(name) for name in ("score", "label", "thumb")}
        given = Feedback(
            told["feedback_id"],
            row["decision_id"],
            told["created_at"],
            told["source"],
            weight=told.get("weight", 1.0),
            **grade,
        )
        rate(tables, row, given)


def tier_shares_in(row: Mapping[str, Any]) -> Sequence[tuple[str, float]]:
    """Return with which probability an exported decision's prompt required each tier."""
    sufficiency: Mapping[str, float] = row["sufficiency"]
    return list(zip(sufficiency, tier_probabilities(tuple(sufficiency.values())), strict=True))
