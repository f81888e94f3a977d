"""Budgets that hold: what an answer may cost is set aside before it is asked for, and settled afterwards."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from serving.routing.headroom import Headroom, nanodollars
from serving.state.counters import Claim, Counters, CountersEmptyError, CountersUnavailableError
from serving.tables.windows import window_at

_log = logging.getLogger(__name__)

# A request may be settled after its window has ended.
_KEPT_S = 86_400
# Settlements that wait for counters that cannot be reached; what is beyond stays set aside.
_MOST_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent per hour, day or month; None: by every caller, on every deployment."""

    name: str
    usd: float
    per: str
    caller: str | None = None
    deployments: frozenset[str] | None = None

    def holds(self, caller: str | None, deployment: str) -> bool:
        """Tell whether what a caller spends on a deployment is taken from it."""
        return self.is_for(caller) and (self.deployments is None or deployment in self.deployments)

    def is_for(self, caller: str | None) -> bool:
        """Tell whether a caller's spending may be taken from it."""
        return self.caller is None or self.caller == caller


class Charge(NamedTuple):
    """What one answer came to, as the log knows it."""

    at_s: float
    caller: str | None
    deployment: str
    nanousd: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """An amount set aside in the windows that were current when it was."""

    claims: tuple[Claim, ...]
    nanousd: int


class Budgets:
    """The budgets of a service over their counters, with what they held when they were last asked.

    `charges` reads from the log what was spent since a moment; it is called in a thread of its own.
    The last known numbers only choose; whether there is enough is decided by `reserve` alone.
    """

    def __init__(
        self,
        rows: Sequence[Budget],
        counters: Counters,
        *,
        charges: Callable[[float], Iterable[Charge]] = lambda since: (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rows = tuple(rows)
        self._counters = counters
        self._charges = charges
        self._clock = clock
        self._held: dict[str, int] = {}
        self._filled = False
        self._problem: str | None = "the counters were not read yet" if rows else None
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[tuple[Claim, ...], int]] = deque(maxlen=_MOST_WAITING)

    @property
    def problem(self) -> str | None:
        """Return why nobody can tell what is left, or None."""
        return self._problem

    def headroom(self, caller: str | None) -> tuple[Headroom, ...]:
        """Return what is left of each budget that may hold for a caller."""
        now_s = self._clock()
        return tuple(self._headroom(row, now_s) for row in self.rows if row.is_for(caller))

    def all(self) -> tuple[Headroom, ...]:
        """Return what is left of every budget, whomever it holds for."""
        now_s = self._clock()
        return tuple(self._headroom(row, now_s) for row in self.rows)

    def any_holds(self, caller: str | None, deployment: str) -> bool:
        """Tell whether what a caller spends on a deployment is taken from any budget."""
        return any(row.holds(caller, deployment) for row in self.rows)

    async def start(self) -> None:
        """Fill the counters from the log; where they cannot be reached, nothing is left until they can."""
        if self.rows:
            await self._guarded(self._rebuild)

    async def refresh(self) -> None:
        """Read the counters again, settle what waits, and fill counters that have lost what they held."""
        if self.rows:
            await self._guarded(self._reread if self._filled else self._rebuild)

    async def reserve(self, caller: str | None, deployment: str, nanousd: int) -> Reservation | str:
        """Set an amount aside in every budget that holds, or in none and return the code of why not."""
        now_s = self._clock()
        claims = tuple(_claim(row, now_s) for row in self.rows if row.holds(caller, deployment))
        if not claims:
            return Reservation((), nanousd)
        try:
            taken = await self._counters.reserve(claims, nanousd)
        except CountersUnavailableError as error:
            self._failed(error)
            return "budget_unknown"
        self._know(claims, taken.totals)
        return Reservation(claims, nanousd) if taken.granted else "budget"

    def settle_soon(self, reservation: Reservation, nanousd: int) -> None:
        """Put what an answer came to in the place of what was set aside, without being waited for."""
        change_nanousd = nanousd - reservation.nanousd
        if reservation.claims and change_nanousd:
            self._soon(self._settle(reservation.claims, change_nanousd))

    def spend_soon(self, caller: str | None, deployment: str, nanousd: int) -> None:
        """Take in what was spent without us: it counts, and nothing can refuse it any more."""
        now_s = self._clock()
        claims = tuple(_claim(row, now_s) for row in self.rows if row.holds(caller, deployment))
        if claims and nanousd:
            self._soon(self._settle(claims, nanousd))

    async def settled(self) -> None:
        """Wait until everything that was to be settled soon is."""
        while self._running:
            await asyncio.gather(*self._running)

    async def close(self) -> None:
        """Settle what is left, and let go of the counters."""
        await self.settled()
        await self._counters.close()

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _settle(self, claims: tuple[Claim, ...], change_nanousd: int) -> None:
        try:
            await self._change(claims, change_nanousd)
        except CountersUnavailableError as error:
            # counters that lost everything are filled from the log, which holds this as well
            self._waiting.append((claims, change_nanousd))
            self._failed(error)

    async def _change(self, claims: tuple[Claim, ...], change_nanousd: int) -> None:
        self._know(claims, await self._counters.settle(claims, change_nanousd))

    async def _reread(self) -> None:
        claims = tuple(_claim(row, self._clock()) for row in self.rows)
        await self._change(claims, 0)
        self._problem = None
        while self._waiting:
            await self._change(*self._waiting[0])
            self._waiting.popleft()

    async def _rebuild(self) -> None:
        # the log holds what these would settle
        self._waiting.clear()
        now_s = self._clock()
        claims = tuple(_claim(row, now_s) for row in self.rows)
        spent = await asyncio.to_thread(self._spent, now_s)
        self._know(claims, await self._counters.raise_to(claims, [spent[claim.key] for claim in claims]))
        self._problem, self._filled = None, True
        _log.info("The counters of %d budgets are filled from the decision log.", len(self.rows))

    def _spent(self, now_s: float) -> Counter[str]:
        """Add up what the log knows of the current windows, by counter."""
        begun_s = {row.name: window_at(row.per, now_s).begins_at for row in self.rows}
        spent: Counter[str] = Counter()
        for charge in self._charges(min(begun_s.values())):
            for row in self.rows:
                if charge.at_s >= begun_s[row.name] and row.holds(charge.caller, charge.deployment):
                    spent[_claim(row, now_s).key] += charge.nanousd
        return spent

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except CountersUnavailableError as error:
            self._failed(error)

    def _failed(self, error: CountersUnavailableError) -> None:
        self._filled = self._filled and not isinstance(error, CountersEmptyError)
        if self._problem != str(error):
            _log.error("%s: what a budget holds for is refused until they can be read.", error)
        self._problem = str(error)

    def _know(self, claims: Sequence[Claim], totals: Sequence[int]) -> None:
        now_s = self._clock()
        self._held.update(zip((claim.key for claim in claims), totals, strict=True))
        if len(self._held) > 4 * len(self.rows):
            current = {_claim(row, now_s).key for row in self.rows}
            self._held = {key: held for key, held in self._held.items() if key in current}

    def _headroom(self, row: Budget, now_s: float) -> Headroom:
        window = window_at(row.per, now_s)
        left = nanodollars(row.usd) - self._held.get(_key(row, window.name), 0)
        return Headroom(
            row.name,
            row.usd,
            row.per,
            window.ends_at,
            None if self._problem is not None else max(left, 0),
            row.deployments,
        )


def _claim(row: Budget, now_s: float) -> Claim:
    window = window_at(row.per, now_s)
    return Claim(_key(row, window.name), nanodollars(row.usd), window.ends_at + _KEPT_S)


def _key(row: Budget, window: str) -> str:
    return f"{row.name}:{row.per}:{window}"
