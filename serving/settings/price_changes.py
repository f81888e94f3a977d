"""What a price table would change in the catalog, and which changes are too great to be taken unseen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from serving.settings.matrix import address
from serving.settings.pins import FIGURES, Pin, figures_of
from serving.settings.price_table import PriceTable
from serving.settings.schema import DeploymentSettings

# Prices are exact to this many decimals.
_DECIMALS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one row: what stands there (None: unknown), and what the table says."""

    deployment: str
    figure: str
    was: Decimal | None
    now: Decimal

    def is_within(self, largest: float) -> bool:
        """Tell whether it changes by at most so many times; what becomes or was free is never within.

        Nor is a window that grows: what fits the smaller of two is sure to fit.
        """
        if self.was is None:
            return self.now > 0
        if self.figure == "context_window_tokens" and self.now > self.was:
            return False
        if self.was <= 0 or self.now <= 0:
            return False
        return max(self.now / self.was, self.was / self.now) <= Decimal(str(largest))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The catalog beside a table: `changes` in the catalog's order, and the rows that it does not know."""

    changes: tuple[Change, ...]
    compared: int
    unknown: tuple[str, ...]


def compare(rows: Iterable[DeploymentSettings], table: PriceTable, day: date) -> Comparison:
    """Return what the table would change in these rows; demo deployments are left out."""
    changes: list[Change] = []
    unknown: list[str] = []
    compared = 0
    for row in rows:
        if row.adapter == "demo":
            continue
        theirs = table.figures(row, day)
        if not theirs:
            unknown.append(row.name)
            continue
        compared += 1
        ours = figures_of(row)
        changes += [
            Change(row.name, figure, ours[figure], theirs[figure].quantize(_DECIMALS).normalize() + 0)
            for figure in FIGURES
            if figure in theirs and theirs[figure] != ours[figure]
        ]
    return Comparison(tuple(changes), compared, tuple(unknown))


def pins_for(rows: Iterable[DeploymentSettings], changes: Sequence[Change]) -> dict[str, Pin]:
    """Return the pins that put these changes into force."""
    found: dict[str, Pin] = {}
    for row in rows:
        mine = [change for change in changes if change.deployment == row.name]
        if mine:
            found[row.name] = Pin(
                address=address(row.adapter, row.base_url, row.model or row.name),
                was=figures_of(row),
                now={change.figure: change.now for change in mine},
            )
    return found
