"""The seam of the budgets: counters that several requests, and several processes, take from at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class CountersUnavailableError(Exception):
    """Nobody can tell what is counted right now; the message says why."""


class CountersEmptyError(CountersUnavailableError):
    """The counters have lost what they held (a restart, a flush); `raise_to` fills them again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A counter and what it may come to in nanodollars; after `expires_at` (Unix s) it is forgotten."""

    key: str
    limit_nanousd: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether a reservation was granted, and what each counter holds now."""

    granted: bool
    totals: tuple[int, ...]


class Counters(Protocol):
    """Whole nanodollars by key. Each method is one atomic step, or raises CountersUnavailableError."""

    async def reserve(self, claims: Sequence[Claim], nanousd: int) -> Taken:
        """Add the amount to every counter if none then exceeds its limit, else to none."""

    async def settle(self, claims: Sequence[Claim], change_nanousd: int) -> tuple[int, ...]:
        """Add a change, whatever the limits, and return the totals; none falls below zero."""

    async def raise_to(self, claims: Sequence[Claim], nanousd: Sequence[int]) -> tuple[int, ...]:
        """Make each counter hold at least what the log knows, and return the totals."""

    async def close(self) -> None:
        """Release what is open."""


class MemoryCounters:
    """Counters of one process; no step waits for anything, so that each is atomic on its event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._held: dict[str, tuple[int, int]] = {}

    async def reserve(self, claims: Sequence[Claim], nanousd: int) -> Taken:
        """Add to all or to none; see Counters."""
        self._forget()
        held = tuple(self._total(claim.key) for claim in claims)
        if any(total + nanousd > claim.limit_nanousd for claim, total in zip(claims, held, strict=True)):
            return Taken(False, held)
        return Taken(True, self._added(claims, nanousd))

    async def settle(self, claims: Sequence[Claim], change_nanousd: int) -> tuple[int, ...]:
        """Add a change; see Counters."""
        return self._added(claims, change_nanousd)

    async def raise_to(self, claims: Sequence[Claim], nanousd: Sequence[int]) -> tuple[int, ...]:
        """Hold at least this; see Counters."""
        for claim, least in zip(claims, nanousd, strict=True):
            self._held[claim.key] = (max(self._total(claim.key), least), claim.expires_at)
        return tuple(self._total(claim.key) for claim in claims)

    async def close(self) -> None:
        """Nothing is open."""

    def _added(self, claims: Sequence[Claim], change_nanousd: int) -> tuple[int, ...]:
        for claim in claims:
            self._held[claim.key] = (max(self._total(claim.key) + change_nanousd, 0), claim.expires_at)
        return tuple(self._total(claim.key) for claim in claims)

    def _total(self, key: str) -> int:
        return self._held.get(key, (0, 0))[0]

    def _forget(self) -> None:
        now_s = self._clock()
        for key in [key for key, (_, expires_at) in self._held.items() if expires_at <= now_s]:
            del self._held[key]
