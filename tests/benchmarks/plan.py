"""How much a run measures, and what a part says when it cannot measure here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Skipped(Exception):
    """A part that cannot be measured on this machine; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Each figure is taken `repeats` times, for about `seconds` each; what is built goes to `build`."""

    repeats: int
    seconds: float
    is_quick: bool
    build: Path
