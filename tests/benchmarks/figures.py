"""What is measured: figures with all their repeats, and the table that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

_WIDTHS = (46, 10, 19, 30, 20)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a value per repeat, and those of what it stands beside, measured in the same repeats.

    `at_most` is the bar that the project set itself; None where there is none.
    """

    part: str
    name: str
    unit: str
    values: tuple[float, ...]
    beside: str = ""
    beside_values: tuple[float, ...] = ()
    at_most: float | None = None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Return value / beside for each repeat, so that what slows the machine slows both."""
        pairs = zip(self.values, self.beside_values, strict=False)
        return tuple(value / other for value, other in pairs if other)

    @property
    def verdict(self) -> str:
        """Return the bar and whether the median keeps it."""
        if self.at_most is None:
            return ""
        kept = median(self.values) <= self.at_most
        return f"≤ {short(self.at_most)} {'ok' if kept else 'MISSED'}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as plain values."""
        return {
            "part": self.part,
            "name": self.name,
            "unit": self.unit,
            "median": median(self.values),
            "values": self.values,
            "beside": self.beside or None,
            "beside_values": self.beside_values,
            "ratio": median(self.ratios) if self.ratios else None,
            "at_most": self.at_most,
        }

    def as_row(self) -> str:
        """Return the figure as one line of the table."""
        beside = f"{self.beside} {short(median(self.beside_values))}" if self.beside_values else ""
        cells = (
            f"{self.name}, {self.unit}",
            short(median(self.values)),
            _spread(self.values),
            beside,
            f"{short(median(self.ratios))}  ({_spread(self.ratios)})" if self.ratios else "",
        )
        padded = " ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
        return f"  {padded} {self.verdict}".rstrip()


def heading() -> str:
    """Return the table's first line."""
    names = ("figure", "median", "least – most", "beside it", "ratio")
    padded = " ".join(name.ljust(width) for name, width in zip(names, _WIDTHS, strict=True))
    return f"  {padded} wanted"


def _spread(values: Sequence[float]) -> str:
    return f"{short(min(values))} – {short(max(values))}"


def short(value: float) -> str:
    """Three digits that mean something.

    >>> short(0.12345), short(12.345), short(2345.6)
    ('0.123', '12.3', '2,346')
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
