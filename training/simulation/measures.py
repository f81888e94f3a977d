"""What an arm is worth on fresh prompts: cost, quality, their sum in dollars, and the area on the new tasks.

Quality is what the models of the chosen tier scored on that prompt, on average; nothing that the service
expects of itself counts. All arms are measured on the same prompts, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.curves import CurveError, area_recovered
from training.intervals import IntervalError, Statistic, bootstrap_interval, compared, difference_interval
from training.simulation.service import MEASURE, Caller, chosen
from training.simulation.world import Prompt

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

ALL, NEW, OTHER = "all", "new tasks", "other tasks"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the service decided about each fresh prompt [N]: tier, dollars, and how difficult it held it."""

    tiers: Places
    usd: Numbers
    waiting_usd: Numbers
    difficulty: Numbers

    def as_dict(self) -> dict[str, list[float]]:
        """Return it for JSON."""
        return {
            "tiers": self.tiers.tolist(),
            "usd": self.usd.tolist(),
            "waiting_usd": self.waiting_usd.tolist(),
            "difficulty": self.difficulty.tolist(),
        }


def measured(found: Mapping[str, Sequence[float]]) -> Measured:
    """Return what `as_dict` has written."""
    return Measured(
        np.array(found["tiers"], dtype=np.int64),
        np.array(found["usd"]),
        np.array(found["waiting_usd"]),
        np.array(found["difficulty"]),
    )


def measure(service: Caller, fresh: Sequence[Prompt], tiers: Sequence[str]) -> Measured:
    """Ask the running service about every fresh prompt; nothing is answered, nothing rated."""
    decisions = [service.route(prompt.text, MEASURE) for prompt in fresh]
    rows = [chosen(decision) for decision in decisions]
    return Measured(
        np.array([list(tiers).index(row["tier"]) for row in rows], dtype=np.int64),
        np.array([row["token_cost_usd"] for row in rows]),
        np.array([row["waiting_cost_usd"] for row in rows]),
        np.array([1.0 - decision["sufficiency"][tiers[0]] for decision in decisions]),
    )


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The fresh prompts as arrays: what each tier scores on each of them, [N, K], and their tasks."""

    quality: Numbers
    tasks: tuple[str, ...]
    is_new: npt.NDArray[np.bool_]
    usd_per_lost_quality: float
    tiers: tuple[str, ...]

    def figures(self, found: Measured) -> dict[str, Any]:
        """Return every figure of one measurement with its interval."""
        return {
            "parts": {name: self._part(found, rows) for name, rows in self._parts().items()},
            "areas": self.areas(found),
        }

    def areas(self, found: Measured) -> dict[str, Any]:
        """Return the area recovered between the cheapest and the dearest tier, per new task and together."""
        return {name: _interval(self._area(found, rows), len(rows)) for name, rows in self._new().items()}

    def against(self, one: Measured, other: Measured) -> dict[str, Any]:
        """Return one measurement less the other, prompt by prompt, and what may be said of it."""
        parts = {
            name: {
                figure: compared(
                    difference_interval(
                        _mean(self._values(one, figure)[rows]),
                        _mean(self._values(other, figure)[rows]),
                        len(rows),
                    ),
                    more_is_better=figure == "quality",
                )
                for figure in ("quality", "usd_per_1000", "total_usd_per_1000")
            }
            for name, rows in self._parts().items()
        }
        areas = {
            name: _difference(self._area(one, rows), self._area(other, rows), len(rows))
            for name, rows in self._new().items()
        }
        return {"parts": parts, "areas": areas}

    def always(self) -> dict[str, dict[str, float]]:
        """Return the quality of sending every prompt to one tier, per part."""
        return {
            name: {
                tier: round(float(self.quality[rows, place].mean()), 4)
                for place, tier in enumerate(self.tiers)
            }
            for name, rows in self._parts().items()
        }

    def _part(self, found: Measured, rows: Places) -> dict[str, Any]:
        figures: dict[str, Any] = {
            figure: _interval(_mean(self._values(found, figure)[rows]), len(rows))
            for figure in ("quality", "usd_per_1000", "total_usd_per_1000")
        }
        shares = {
            tier: round(float((found.tiers[rows] == place).mean()), 4)
            for place, tier in enumerate(self.tiers)
        }
        return {"prompts": len(rows), **figures, "shares": shares}

    def _values(self, found: Measured, figure: str) -> Numbers:
        """Return a figure of each prompt; the total is what the policy minimises, with what was scored."""
        quality = self.quality[np.arange(len(found.tiers)), found.tiers]
        if figure == "quality":
            return quality
        usd = 1_000 * found.usd
        if figure == "usd_per_1000":
            return usd
        return usd + 1_000 * (found.waiting_usd + self.usd_per_lost_quality * (1.0 - quality))

    def _area(self, found: Measured, rows: Places) -> Statistic:
        weak, strong = self.quality[rows, 0], self.quality[rows, -1]
        difficulty = found.difficulty[rows]
        return lambda some: area_recovered(difficulty[some], weak[some], strong[some])

    def _parts(self) -> dict[str, Places]:
        everything = np.arange(len(self.tasks))
        return {ALL: everything, NEW: everything[self.is_new], OTHER: everything[~self.is_new]}

    def _new(self) -> dict[str, Places]:
        tasks = np.array(self.tasks, dtype=object)
        names = dict.fromkeys(np.array(self.tasks, dtype=object)[self.is_new])
        return {
            "together": np.flatnonzero(self.is_new),
            **{name: np.flatnonzero(tasks == name) for name in names},
        }


def yardstick(fresh: Sequence[Prompt], usd_per_lost_quality: float, tiers: Sequence[str]) -> Yardstick:
    """Return what the fresh prompts are measured with."""
    return Yardstick(
        np.array([prompt.quality for prompt in fresh]),
        tuple(prompt.task for prompt in fresh),
        np.array([prompt.is_new for prompt in fresh]),
        usd_per_lost_quality,
        tuple(tiers),
    )


def _mean(values: Numbers) -> Statistic:
    return lambda some: float(values[some].mean())


def _interval(statistic: Statistic, rows: int) -> dict[str, float] | None:
    """Return a figure with its interval; None where the rows do not define it."""
    try:
        return bootstrap_interval(statistic, rows).as_dict()
    except (CurveError, IntervalError):
        return None


def _difference(one: Statistic, other: Statistic, rows: int) -> dict[str, Any] | None:
    try:
        return compared(difference_interval(one, other, rows))
    except (CurveError, IntervalError):
        return None
