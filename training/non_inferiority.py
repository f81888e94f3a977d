"""Whether a candidate is no worse than the champion: shown by the whole interval of their difference, or not.

Not told apart is no proof. With few rows anything passes that asks for no more; with many, a difference of
nothing would fail. So a margin says what counts as no worse, and the interval has to lie within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.verdict_file import Check
from training.off_policy import Compared, HeldOut, area, over_routed, under_routed

# How the rule of a check begins that passed because nothing can be said.
TOO_FEW = "too few rows to tell"


@dataclass(frozen=True, slots=True)
class Margins:
    """How much worse than the champion's a figure may be and still count as no worse."""

    under: float
    over: float
    area: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of both on the same rows; `sign` is 1 where more is worse, -1 where less is."""

    name: str
    found: Compared
    margin: float
    sign: float

    @property
    def worse_by(self) -> tuple[float, float]:
        """Return by how much the candidate is worse, at least and at most."""
        gap = self.found.difference
        least, most = sorted((self.sign * gap.low, self.sign * gap.high))
        return least, most

    @property
    def is_better(self) -> bool:
        """Return whether the candidate is surely better."""
        return self.worse_by[1] < 0.0

    @property
    def is_worse(self) -> bool:
        """Return whether the candidate is surely worse."""
        return self.worse_by[0] > 0.0

    @property
    def is_no_worse(self) -> bool:
        """Return whether the candidate is shown to be no worse by the margin."""
        return self.worse_by[1] <= self.margin


def figures_of(
    rows: HeldOut,
    where: str,
    margins: Margins,
    tiers: Sequence[str],
    threshold: float,
    seed: int,
    rounds: int,
) -> list[Figure]:
    """Return what rows that neither artifact has seen say of both, as far as they define it."""
    how = tiers, threshold, seed, rounds
    areas = [
        (f"area recovered, is {tier} enough", area(rows, head, seed, rounds), margins.area, -1.0)
        for head, tier in enumerate(tiers[:-1])
    ]
    found = [
        ("under-routing", under_routed(rows, *how), margins.under, 1.0),
        ("over-routing", over_routed(rows, *how), margins.over, 1.0),
        *areas,
    ]
    return [
        Figure(f"{name}, {where}", one, margin, sign) for name, one, margin, sign in found if one is not None
    ]


def must_show(figure: Figure, gains: bool) -> Check:
    """Return the check where rows are many enough: no worse has to be shown, and a sure loss to be paid for.

    Without that many small losses would pass one after the other. `gains` says that something else is surely
    better.
    """
    rule = f"no worse than the champion by {figure.margin:g}, with its whole interval"
    if figure.is_worse:
        rule += "; surely worse within it only where feedback shows something surely better"
    return _check(figure, figure.is_no_worse and (gains or not figure.is_worse), rule)


def may_leave_open(figure: Figure) -> Check:
    """Return the check where rows may be too few: what they leave open passes, named as what it is."""
    rule = f"no worse than the champion by {figure.margin:g}, with its whole interval, or not surely worse"
    is_open = not figure.is_no_worse and not figure.is_worse
    return _check(figure, figure.is_no_worse or is_open, f"{TOO_FEW}: {rule}" if is_open else rule)


def _check(figure: Figure, passed: bool, rule: str) -> Check:
    found = figure.found
    return Check(
        figure.name,
        passed,
        round(found.candidate, 4),
        round(found.champion + figure.sign * figure.margin, 4),
        round(found.champion, 4),
        round(found.difference.low, 4),
        round(found.difference.high, 4),
        found.rows,
        rule,
    )
