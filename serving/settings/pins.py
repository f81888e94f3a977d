"""Pinned figures: what `weighbridge catalog sync` took over from a price table, laid over the rows it saw."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from serving.settings.kept import read_kept, unusable, write_kept
from serving.settings.matrix import address

SCHEMA = "weighbridge.prices/1"
_SETTING, _MADE_BY = "catalog.prices", "weighbridge catalog sync"

# The figures of a row that a price table knows, in the order in which they are told.
FIGURES = (
    "usd_per_million_input",
    "usd_per_million_output",
    "usd_per_million_cached_read",
    "usd_per_million_cached_write",
    "context_window_tokens",
)

Figure = Decimal | int | None


class Pin(Struct, frozen=True):
    """Figures for one row as it was addressed, and what the row said of them at the time."""

    address: str
    was: dict[str, Decimal | None]
    now: dict[str, Decimal]


class Pins(Struct, frozen=True):
    """All pins by the deployment's name, with where and when they were taken from."""

    schema: str = SCHEMA
    source: str = ""
    pinned_at: str = ""
    deployments: dict[str, Pin] = {}


def read(path: Path) -> Pins:
    """Return the pins of a file, none where there is no file; raise ConfigurationError for anything else."""
    found = read_kept(path, Pins, _SETTING, _MADE_BY)
    for name, pin in found.deployments.items():
        for key, value in pin.now.items():
            if key not in FIGURES or not value.is_finite() or value < 0:
                why = f"pins {name!r}, {key} = {value}, which no row can hold"
                raise unusable(path, why, _SETTING, _MADE_BY)
    return found


def write(path: Path, pins: Pins) -> None:
    """Put pins into the file; nobody ever sees half of it."""
    write_kept(path, pins)


def figures_of(row: Any) -> dict[str, Decimal | None]:
    """Return what a row of the settings says, exactly."""
    found = {name: getattr(row, name) for name in FIGURES}
    return {name: None if value is None else Decimal(value) for name, value in found.items()}


def pinned(row: Any, pins: Mapping[str, Pin]) -> dict[str, Figure]:
    """Return the figures that are pinned for a row; none where the row has changed since."""
    pin = pins.get(row.name)
    if pin is None or is_stale(row, pin):
        return {}
    return {name: int(value) if name == "context_window_tokens" else value for name, value in pin.now.items()}


def is_stale(row: Any, pin: Pin) -> bool:
    """Tell whether a row no longer is what it was when it was pinned."""
    here = address(row.adapter, row.base_url, row.model or row.name)
    now = figures_of(row)
    return pin.address != here or any(now[name] != value for name, value in pin.was.items())
