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


@dataclass(slots=True)
class Answered:
    """What came of the decisions that one artifact weighed."""

    decisions: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    dispatched: int = 0
    failed: int = 0
    priced: int = 0
    cost_usd: float = 0.0
    graded: int = 0
    good: int = 0


@dataclass(slots=True)
class Beside:
    """What a shadow would have said beside what was said, decision by decision.

    `differences` are of the log loss on the questions that feedback answers (shadow − answering), their sum
    and the sum of their squares.
    """

    decisions: int = 0
    same: int = 0
    lower: int = 0
    higher: int = 0
    tiers: Counter[str] = field(default_factory=Counter)
    graded: int = 0
    loss: float = 0.0
    differences: float = 0.0
    squares: float = 0.0

    @property
    def mean_difference(self) -> float | None:
        """Return the mean difference of the log loss; below 0 the shadow is better."""
        return self.differences / self.graded if self.graded else None

    @property
    def half_interval(self) -> float | None:
        """Return half of the 95 % interval of the mean difference; None for fewer than 30 graded answers."""
        if self.graded < 30:
            return None
        mean = self.differences / self.graded
        variance = max(self.squares / self.graded - mean * mean, 0.0) * self.graded / (self.graded - 1)
        return 1.96 * math.sqrt(variance / self.graded)


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
        one.graded += 1
        one.good += good


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
    one.graded += 1
    one.loss += own
    one.differences += other - own
    one.squares += (other - own) ** 2


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
