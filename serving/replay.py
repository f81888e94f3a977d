"""Makes a logged period's decisions again, under another policy or artifact, and tells what changes.

log → entries → the inputs of each decision, changed → decide → beside what was decided then
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec

from serving.course import Course
from serving.records import Prediction
from serving.rollout import Rollout
from serving.routing.policy import Policy
from serving.routing.router import Decision, Inputs, decide
from serving.state.inputs import Logged
from serving.state.interface import Entry

# A row and the decision it holds say the same of these.
_SAME = (
    "deployment", "tier", "reason", "propensity",
    "expected_cost_usd", "expected_latency_ms", "expected_quality",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """What is other than it was; with neither policy nor artifact every decision must come out as logged."""

    policy: Policy | None = None
    artifact: Rollout | None = None
    share_window: int = 500
    share_least: int = 100

    @property
    def is_none(self) -> bool:
        """Tell whether everything is as it was."""
        return self.policy is None and self.artifact is None


class Choice(NamedTuple):
    """What a decision came to; None where nobody could serve the request, and for an unknown price."""

    deployment: str | None
    tier: str | None
    cost_usd: float | None
    quality: float | None


class Flip(NamedTuple):
    """A decision that comes out otherwise."""

    decision_id: str
    created_at: float
    before: Choice
    after: Choice


@dataclass(slots=True)
class Totals:
    """What the decisions of one side come to, added up; cost and quality over the `served`."""

    served: int = 0
    refused: int = 0
    unpriced: int = 0
    cost_usd: float = 0.0
    quality: float = 0.0
    tiers: Counter[str] = field(default_factory=Counter)

    def add(self, choice: Choice) -> None:
        """Take in one decision."""
        if choice.deployment is None or choice.tier is None:
            self.refused += 1
            return
        self.served += 1
        self.tiers[choice.tier] += 1
        self.quality += choice.quality or 0.0
        self.cost_usd += choice.cost_usd or 0.0
        self.unpriced += choice.cost_usd is None

    @property
    def usd_per_1k(self) -> float | None:
        """Return the expected cost of a thousand requests that have a price."""
        priced = self.served - self.unpriced
        return 1_000.0 * self.cost_usd / priced if priced else None

    @property
    def mean_quality(self) -> float | None:
        """Return the mean expected quality."""
        return self.quality / self.served if self.served else None

    def share(self, tier: str) -> float:
        """Return the tier's share of what was served."""
        return self.tiers[tier] / self.served if self.served else 0.0


@dataclass(slots=True)
class Replay:
    """What came of it so far: `left_out` counts decisions that could not be made again, by reason.

    `otherwise` counts decisions with the same deployment whose numbers or reason differ.
    `tiers` is the scale, lowest first; `first` and `last` are Unix seconds.
    """

    before: Totals = field(default_factory=Totals)
    after: Totals = field(default_factory=Totals)
    left_out: Counter[str] = field(default_factory=Counter)
    flips: int = 0
    otherwise: int = 0
    tiers: tuple[str, ...] = ()
    first: float | None = None
    last: float | None = None

    @property
    def replayed(self) -> int:
        """Return how many decisions were made again."""
        return self.before.served + self.before.refused


def replay(entries: Iterable[Entry], change: Change, result: Replay) -> Iterator[Flip]:
    """Decide every entry again in its order, add it up in `result`, and yield each that comes out otherwise.

    With nothing changed, the logged inputs are taken as they are. Else what decisions do to those after them
    follows the change, too (`Course`); the share of the lowest tier starts as the period's first decisions
    would leave it.
    """
    course = Course(share_window=change.share_window, share_least=change.share_least)
    made = _changed(entries, change, result)
    if not change.is_none:
        first = list(islice(made, change.share_window))
        course.warm_up(inputs for _, _, inputs in first)
        made = chain(first, made)
    for entry, logged, inputs in made:
        was = entry.row["deployment"]
        again = decide(*inputs) if change.is_none else course.decide(inputs, was)
        before, after = _before(entry, logged, again, change), _choice(again)
        _count(result, entry, before, after, again)
        result.otherwise += change.is_none and not _is_same(entry.row, again)
        if before.deployment != after.deployment:
            result.flips += 1
            yield Flip(entry.row["decision_id"], entry.row["created_at"], before, after)


def _changed(
    entries: Iterable[Entry], change: Change, result: Replay
) -> Iterator[tuple[Entry, Logged, Inputs]]:
    """Yield the inputs of each entry as the change has them; count those that have none."""
    for entry in entries:
        if entry.logged is None:
            result.left_out[entry.problem or "logged without its inputs"] += 1
            continue
        inputs = entry.logged.inputs
        if change.artifact is not None:
            prediction = _predicted(entry, entry.logged, change.artifact)
            if isinstance(prediction, str):
                result.left_out[prediction] += 1
                continue
            inputs = inputs._replace(prediction=prediction)
        if change.policy is not None:
            inputs = inputs._replace(policy=change.policy)
        yield entry, entry.logged, inputs


def _predicted(entry: Entry, logged: Logged, artifact: Rollout) -> Prediction | str:
    """Return what another artifact says of a logged prompt, or why it cannot be asked.

    Where a rule stated the tier, it states it again.
    """
    if logged.inputs.prediction.source == "rule":
        return logged.inputs.prediction
    if entry.row["prompt"] is None:
        return 'logged without the prompt, which another artifact must read (log.prompts is not "text")'
    if artifact.tiers != logged.inputs.prediction.tiers:
        return f"logged on another scale of tiers ({', '.join(logged.inputs.prediction.tiers)})"
    failures = artifact.failures
    prediction = artifact.predict(_prompt(entry.row["prompt"], logged))
    return "the artifact failed on the prompt" if artifact.failures > failures else prediction


def _prompt(logged_text: str, logged: Logged) -> Mapping[str, Any]:
    """Return the prompt as the classifier reads it: of tools it reads only how many there are."""
    prompt: dict[str, Any] = {"messages": msgspec.json.decode(logged_text)}
    if logged.tools:
        prompt["tools"] = [{}] * logged.tools
    if logged.response_format is not None:
        prompt["response_format"] = {"type": logged.response_format}
    return prompt


def _before(entry: Entry, logged: Logged, again: Decision, change: Change) -> Choice:
    """Return what was decided, its quality in the eyes of who is asked now."""
    row = entry.row
    before = Choice(row["deployment"], row["tier"], row["expected_cost_usd"], row["expected_quality"])
    if change.artifact is None or before.deployment is None:
        return before
    # the floor hides what it rejects, which is just what may have been chosen then
    open_to_all = replace(again.request.limits, quality_floor=None)
    unhidden = decide(
        replace(again.request, limits=open_to_all),
        again.prediction,
        logged.inputs.catalog,
        logged.inputs.snapshot,
        replace(logged.inputs.policy, quality_floor=0.0),
    )
    found = {one.deployment: one.quality for one in unhidden.ranking}
    return before._replace(quality=found.get(before.deployment, before.quality))


def _choice(decision: Decision) -> Choice:
    chosen = decision.chosen
    if chosen is None:
        return Choice(None, None, None, None)
    return Choice(chosen.deployment, chosen.tier, chosen.token_cost_usd, chosen.quality)


def _is_same(row: Mapping[str, Any], decision: Decision) -> bool:
    """Tell whether a row says, to the last digit, what a decision says."""
    chosen = decision.chosen
    numbers = (chosen.token_cost_usd, chosen.latency_ms, chosen.quality) if chosen else (None, None, None)
    told = (*_choice(decision)[:2], decision.reason, decision.propensity, *numbers)
    return told == tuple(row[name] for name in _SAME)


def _count(result: Replay, entry: Entry, before: Choice, after: Choice, again: Decision) -> None:
    result.before.add(before)
    result.after.add(after)
    result.tiers = again.prediction.tiers
    result.first = entry.row["created_at"] if result.first is None else result.first
    result.last = entry.row["created_at"]
