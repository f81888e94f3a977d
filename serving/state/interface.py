"""The seam of the memory: what a decision log must be able to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from serving.records import Record
from serving.state.inputs import Logged


class LogUnavailableError(Exception):
    """The log cannot store anything right now (disk full, locked); the same batch may succeed later."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One logged decision to make again: its row, and what it went by, or why that cannot be had."""

    row: dict[str, Any]
    logged: Logged | None
    problem: str | None = None


class DecisionLog(Protocol):
    """Keeps decisions, outcomes and feedback; called from one writer thread, read from anywhere."""

    def write(self, records: Sequence[Record]) -> None:
        """Store a batch in one transaction: all of it or nothing. Storing an id again changes nothing.

        Raise LogUnavailableError where trying again may help; anything else is a record's own fault.
        """

    def find(self, decision_id: str) -> dict[str, Any] | None:
        """Return one decision with its outcome and feedback as `export` does, or None."""

    def find_all(self, decision_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return those of some decisions that are stored, as `find` does, by their ids."""

    def export(self, since: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield each decision (from Unix time `since` on) with its outcome and feedback, oldest first."""

    def entries(self, since: float | None = None, until: float | None = None) -> Iterator[Entry]:
        """Yield each decision made from `since` on and before `until` with its inputs, oldest first.

        The row holds what `docs/decision-log.md` names, without explanation, vectors, outcome and feedback.
        """

    def close(self) -> None:
        """Release what is open."""
