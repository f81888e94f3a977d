"""Pinned figures: what `weighbridge catalog sync` took over from a price table, laid over the rows it saw."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from serving.errors import ConfigurationError
from serving.settings.matrix import address

SCHEMA = "weighbridge.prices/1"

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
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Pins)
    except FileNotFoundError:
        return Pins()
    except (OSError, msgspec.DecodeError) as error:
        raise _unusable(path, f"cannot be read: {error}") from None
    if found.schema != SCHEMA:
        raise _unusable(path, f"has schema {found.schema!r}, known here is {SCHEMA!r}")
    for name, pin in found.deployments.items():
        for key, value in pin.now.items():
            if key not in FIGURES or not value.is_finite() or value < 0:
                raise _unusable(path, f"pins {name!r}, {key} = {value}, which no row can hold")
    return found


def write(path: Path, pins: Pins) -> None:
    """Put pins into the file; nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(pins), indent=1) + b"\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


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


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"catalog.prices: {str(path)!r} {why}. Delete it and run: weighbridge catalog sync"
    )
