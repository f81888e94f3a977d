"""The world that the service is put into: prompts, what each tier answers, and what people think of it.

Everything is drawn from the plan's seed by position, so that all arms meet the same prompts in the same
order, a tier gives the same answer in each of them, and the same answers are graded, rightly or wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from training.simulation.plan import Plan, SimulationError
from training.sources import Outcome

# A thumb goes up from here.
_GOOD_FROM = 0.5


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; `scores` are those of each tier's models (0–1), the cheapest tier first."""

    id: str
    task: str
    text: str
    is_new: bool
    scores: tuple[tuple[float, ...], ...]

    @property
    def quality(self) -> tuple[float, ...]:
        """Return what each tier is expected to score: the mean of its models."""
        return tuple(sum(found) / len(found) for found in self.scores)

    def enough(self, margin: float) -> tuple[bool, ...]:
        """Return whether each tier but the last does no worse than the best, within a margin.

        >>> Prompt("1", "math", "?", True, ((0.0,), (1.0, 0.8), (0.5,))).enough(0.1)
        (False, True)
        """
        quality = self.quality
        least = next(place for place, one in enumerate(quality) if one >= max(quality) - margin)
        return tuple(place >= least for place in range(len(quality) - 1))


@dataclass(frozen=True, slots=True)
class Step:
    """One prompt of the traffic, what each tier would answer (0–1), and whether a thumb comes for it."""

    prompt: Prompt
    answers: tuple[float, ...]
    caller: int
    is_graded: bool
    is_mistaken: bool

    def thumb(self, tier: int) -> str | None:
        """Return what comes back where this tier answers; None where nobody says anything.

        >>> Step(Prompt("1", "math", "?", True, ((1.0,),)), (1.0,), 0, True, True).thumb(0)
        'down'
        """
        if not self.is_graded:
            return None
        return "up" if (self.answers[tier] >= _GOOD_FROM) != self.is_mistaken else "down"


@dataclass(frozen=True, slots=True)
class World:
    """Prompts by what they are for; no prompt's text is in two parts."""

    base: tuple[Prompt, ...]
    traffic: tuple[Prompt, ...]
    fresh: tuple[Prompt, ...]


def build_world(rows: Sequence[Outcome], plan: Plan) -> World:
    """Deal the rows out; raise SimulationError where a part that is needed stays empty."""
    missing = sorted(set(plan.new_tasks) - {row.task for row in rows})
    if missing:
        known = ", ".join(sorted({row.task for row in rows}))
        raise SimulationError(f"new_tasks: no row is of the task {missing[0]!r}. There are: {known}.")
    parts: dict[str, list[Prompt]] = {"base": [], "traffic": [], "fresh": []}
    for row in rows:
        prompt = _prompt(row, plan)
        if prompt is not None:
            parts[_part(prompt, plan)].append(prompt)
    for name in ("traffic", "fresh"):
        if {prompt.is_new for prompt in parts[name]} != {True, False}:
            raise SimulationError(
                f"{len(rows)} rows leave {name} without prompts of new tasks, or of others. Give more rows."
            )
    return World(tuple(parts["base"]), tuple(parts["traffic"]), tuple(parts["fresh"]))


def steps(world: World, plan: Plan, count: int) -> Iterator[Step]:
    """Yield the traffic: no prompt comes again before every other of its kind has come."""
    decks = {new: _dealt(world, plan, new) for new in (True, False)}
    for position in range(count):
        draw = np.random.default_rng([plan.seed, 1, position])
        prompt = next(decks[bool(draw.random() < plan.new_traffic)])
        yield Step(
            prompt=prompt,
            answers=tuple(found[int(draw.integers(len(found)))] for found in prompt.scores),
            caller=int(draw.integers(plan.callers)),
            is_graded=bool(draw.random() < plan.feedback),
            is_mistaken=bool(draw.random() < plan.noise),
        )


def _dealt(world: World, plan: Plan, new: bool) -> Iterator[Prompt]:
    """Yield the prompts of one kind in random order, for ever."""
    found = [prompt for prompt in world.traffic if prompt.is_new == new]
    draw = np.random.default_rng([plan.seed, 2, int(new)])
    while True:
        for place in draw.permutation(len(found)):
            yield found[place]


def _prompt(row: Outcome, plan: Plan) -> Prompt | None:
    """Return a row as a prompt; None where a tier has no score."""
    scores = tuple(
        tuple(row.scores[model] for model in plan.models[tier] if model in row.scores) for tier in plan.tiers
    )
    if not all(scores):
        return None
    return Prompt(row.id, row.task, row.prompt, row.task in plan.new_tasks, scores)


def _part(prompt: Prompt, plan: Plan) -> str:
    """Return what a prompt is for; equal texts of a task always go the same way."""
    text = " ".join(prompt.text.lower().split())
    digest = blake2b(f"{plan.seed} {text}".encode(), digest_size=8).digest()
    drawn = int.from_bytes(digest) / 2**64
    fresh = plan.new_fresh if prompt.is_new else plan.fresh
    if drawn < fresh:
        return "fresh"
    return "base" if not prompt.is_new and drawn < fresh + plan.base else "traffic"
