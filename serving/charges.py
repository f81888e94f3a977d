"""What one request sets aside at each deployment it asks, and what it came to there."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from serving.records import Attempt, Usage
from serving.routing.catalog import Catalog, Deployment
from serving.routing.headroom import NANODOLLARS_PER_DOLLAR, nanodollars, worst_cost_nanousd
from serving.routing.request import RoutingRequest
from serving.tables.budgets import Budgets, Reservation

# A provider that says so has not answered, and nobody sells refusals; one that was late may have.
_MAY_BE_PAID = frozenset({"timeout"})


class Charges:
    """The purse of one request: each hop is reserved before it is asked, and settled at the end."""

    def __init__(self, request: RoutingRequest, catalog: Catalog, budgets: Budgets) -> None:
        self._request = request
        self._catalog = catalog
        self._budgets = budgets
        self._open: defaultdict[str, list[Reservation]] = defaultdict(list)
        self.refused: str | None = None

    async def reserve(self, deployment: str) -> str | None:
        """Set aside what a deployment may cost; return the code of what stands against it, or None."""
        most = worst_cost_nanousd(self._request, self._catalog.deployments[deployment])
        caller = self._request.caller
        if not self._budgets.any_holds(caller, deployment):
            # most requests: nothing has to be asked, and so nobody waited for
            if most is not None:
                self._open[deployment].append(Reservation((), most))
            return None
        if most is None:
            self.refused = "budget_price"
            return self.refused
        reserving = asyncio.ensure_future(self._budgets.reserve(caller, deployment, most))
        try:
            found = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            # the caller left meanwhile: whatever is granted was never spent
            reserving.add_done_callback(self._give_back)
            raise
        if isinstance(found, str):
            self.refused = found
            return found
        self._open[deployment].append(found)
        return None

    def settled(self, attempts: Sequence[Attempt], status: str, usage: Usage) -> tuple[Attempt, ...]:
        """Settle everything that was set aside; return the attempts with what each of them counts for.

        `status` is how the request ended, `usage` what the provider counted for its answer.
        """
        last = next((one for one in reversed(attempts) if one.status != "skipped"), None)
        # what the last one answered is known where the request ended well
        known = usage if status == "ok" else None
        charged = tuple(self._charged(one, known if one is last else None) for one in attempts)
        for left in self._open.values():
            while left:
                self._budgets.settle_soon(left.pop(), 0)
        return charged

    def _charged(self, attempt: Attempt, usage: Usage | None) -> Attempt:
        if attempt.status == "skipped":
            return attempt
        own = self._open[attempt.deployment]
        reservation = own.pop(0) if own else None
        cost = self._cost_nanousd(attempt, usage)
        if cost is None and reservation is not None:
            cost = reservation.nanousd
        if reservation is not None and cost is not None:
            self._budgets.settle_soon(reservation, cost)
        if cost is None:
            return attempt
        charged_usd = cost / NANODOLLARS_PER_DOLLAR
        # not `replace`, which takes ten times as long
        return Attempt(
            attempt.deployment,
            attempt.status,
            attempt.latency_ms,
            attempt.error,
            attempt.http_status,
            charged_usd,
        )

    def _cost_nanousd(self, attempt: Attempt, usage: Usage | None) -> int | None:
        """Return what an attempt cost, None where nobody can tell: then it counts as what was set aside."""
        if attempt.charged_usd is not None:
            return nanodollars(attempt.charged_usd)
        if attempt.status == "ok" and usage is not None:
            cost_usd = answer_cost_usd(self._catalog.deployments.get(attempt.deployment), usage)
            return None if cost_usd is None else nanodollars(cost_usd)
        refused = attempt.status == "error" and attempt.http_status is not None
        return 0 if refused and attempt.error not in _MAY_BE_PAID else None

    def _give_back(self, reserving: asyncio.Future[Reservation | str]) -> None:
        if not reserving.cancelled() and isinstance(found := reserving.result(), Reservation):
            self._budgets.settle_soon(found, 0)


def answer_cost_usd(row: Deployment | None, usage: Usage) -> float | None:
    """Return what an answer cost, or None where the provider did not count or the price is unknown."""
    if row is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    return row.cost_usd(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens or 0,
        usage.cache_write_input_tokens or 0,
        usage.reasoning_tokens or 0,
    )
