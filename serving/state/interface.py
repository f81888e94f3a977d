"""The seam of the memory: what a decision log must be able to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from serving.records import Record


class LogUnavailableError(Exception):
    """The log cannot store anything right now (disk full, locked); the same batch may succeed later."""


class DecisionLog(Protocol):
    """Keeps decisions, outcomes and feedback; called from one writer thread, read from anywhere."""

    def write(self, records: Sequence[Record]) -> None:
        """Store a batch in one transaction: all of it or nothing. Storing an id again changes nothing.

        Raise LogUnavailableError where trying again may help; anything else is a record's own fault.
        """

    def has_decision(self, decision_id: str) -> bool:
        """Tell whether a decision of that id is stored."""

    def export(self, since: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield each decision (from Unix time `since` on) with its outcome and feedback, oldest first."""

    def close(self) -> None:
        """Release what is open."""
