"""Sets artifacts side by side by what the log says of them: predictions of a shadow, outcomes of a canary."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

# A score between says neither good nor bad, as in training.
_GOOD_FROM, _BAD_TO = 0.6, 0.4
_LEAST_PROBABILITY = 1e-6
_LEAST_PARTS = 30


@dataclass(slots=True)
class Mean:
    """A mean over decisions, and how sure it is: what is said in one conversation counts as one draw."""

    count: int = 0
    total: float = 0.0
    # per conversation: the sum of its values, and how many they are
    parts: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, value: float, row: Row) -> None:
        """Take in the value of a decision."""
        self.count += 1
        self.total += value
        # one whose conversation is not known is one of its own
        part = row["conversation"] or row["decision_id"]
        total, count = self.parts.get(part, (0.0, 0))
        self.parts[part] = total + value, count + 1

    @property
    def value(self) -> float | None:
        """Return the mean, None of nothing."""
        return self.total / self.count if self.count else None

    @property
    def half_interval(self) -> float | None:
        """Return half of its 95 % interval; None for fewer than 30 conversations."""
        parts = len(self.parts)
        if parts < _LEAST_PARTS:
            return None
        mean = self.total / self.count
        squares = sum((total - count * mean) ** 2 for total, count in self.parts.values())
        return 1.96 * math.sqrt(squares * parts / (parts - 1)) / self.count


@dataclass(slots=True)
class Answered:
    """What came of the decisions that one artifact weighed."""

    decisions: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    dispatched: int = 0
    failed: int = 0
    priced: int = 0
    cost_usd: float = 0.0
    good: Mean = field(default_factory=Mean)


@dataclass(slots=True)
class Beside:
    """What a shadow would have said beside what was said, decision by decision.

    `loss` is the log loss of what was said on the questions that feedback answers, `difference` the shadow's
    less that: below 0 the shadow is better.
    """

    decisions: int = 0
    same: int = 0
    lower: int = 0
    higher: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    loss: float = 0.0
    difference: Mean = field(default_factory=Mean)


@dataclass(slots=True)
class Comparison:
    """All artifacts of a period: those that answered, and (answering, shadow) pairs."""

    answered: dict[str, Answered] = field(default_factory=dict)
    beside: dict[tuple[str, str], Beside] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()


def compared(rows: Iterable[Row]) -> Comparison:
    """Return what exported decisions say of the artifacts behind them; others than theirs are left out."""
    found = Comparison()
    for row in rows:
        if row["prediction_source"] != "classifier" or row["endpoint"] == "judge":
            continue
        found.tiers = tuple(row["sufficiency"])
        good = _verdict(row["feedback"])
        _answer(found.answered.setdefault(row["artifact"], Answered()), row, good)
        if row["shadow"] is not None:
            pair = row["artifact"], row["shadow"]["artifact"]
            _watch(found.beside.setdefault(pair, Beside()), row, good)
    return found


def _answer(one: Answered, row: Row, good: bool | None) -> None:
    one.decisions += 1
    one.tiers[row["explanation"]["required_tier"]] += 1
    outcome = row["outcome"]
    if outcome is not None:
        one.dispatched += 1
        one.failed += outcome["status"] == "error"
        one.priced += outcome["cost_usd"] is not None
        one.cost_usd += outcome["cost_usd"] or 0.0
    if good is not None:
        one.good.add(float(good), row)


def _watch(one: Beside, row: Row, good: bool | None) -> None:
    scale, shadow = list(row["sufficiency"]), row["shadow"]
    said, would = row["explanation"]["required_tier"], shadow["required_tier"]
    one.decisions += 1
    one.tiers[would] += 1
    one.same += said == would
    if said in scale and would in scale:
        one.lower += scale.index(would) < scale.index(said)
        one.higher += scale.index(would) > scale.index(said)
    tier = row["tier"] if row["outcome"] is None else row["outcome"]["tier"]
    # of the highest tier nobody asks whether it is enough
    if good is None or tier not in scale[:-1]:
        return
    own, other = (_loss(good, each[tier]) for each in (row["sufficiency"], shadow["sufficiency"]))
    one.loss += own
    one.difference.add(other - own, row)


def _loss(good: bool, enough: float) -> float:
    return -math.log(max(enough if good else 1.0 - enough, _LEAST_PROBABILITY))


def _verdict(feedback: Iterable[Row]) -> bool | None:
    """Return whether an answer was good enough, by the weights of the opinions that hold; None: undecided."""
    balance = 0.0
    for one in feedback:
        if not one["holds"] or one["comparison"] is not None:
            continue
        good = _says(one)
        if good is not None:
            balance += one["weight"] if good else -one["weight"]
    return None if balance == 0.0 else balance > 0.0


def _says(opinion: Row) -> bool | None:
    if opinion["label"] is not None:
        return bool(opinion["label"] != "too_weak")
    if opinion["thumb"] is not None:
        return bool(opinion["thumb"] == "up")
    score = opinion["score"]
    if score is None or _BAD_TO < score < _GOOD_FROM:
        return None
    return bool(score >= _GOOD_FROM)
