"""What must still hold when a request goes on from one deployment to the next."""

from __future__ import annotations

from dataclasses import replace

from classifier.tiers import tier_probabilities
from serving.charges import Charges
from serving.records import Attempt
from serving.routing.catalog import Catalog
from serving.routing.filters import first_reason
from serving.routing.request import RoutingRequest
from serving.routing.router import Decision
from serving.routing.scoring import expected_quality
from serving.tables.first_bytes import FirstBytes
from serving.tables.live import LiveTables


class Hops:
    """Asked by the dispatcher before each further deployment of a decision's ranking.

    The ranking holds nothing that the decision rejected; this looks again at what may have changed since:
    health, quality, the time that is left of the caller's own limit, and what budgets leave.
    """

    def __init__(
        self,
        decision: Decision,
        catalog: Catalog,
        tables: LiveTables,
        first_bytes: FirstBytes | None = None,
        charges: Charges | None = None,
        *,
        streamed: bool = False,
    ) -> None:
        self._decision = decision
        self._catalog = catalog
        self._tables = tables
        self._first_bytes = first_bytes
        self._charges = charges
        # what a whole answer takes beside its first token
        self._writing_tokens = 0 if streamed else decision.request.expected_output_tokens

    async def admit(self, deployment: str) -> str | None:
        """Set aside what asking a deployment may cost; return the code of what stands against it, or None."""
        found = None if self._charges is None else await self._charges.reserve(deployment)
        if found is None:
            self._tables.started(self._decision.request.decision_id, deployment, self._writing_tokens)
        return found

    def ended(self, attempt: Attempt) -> None:
        """Take in how asking one deployment ended, before the request has."""
        self._tables.ended(self._decision.request.decision_id, attempt)

    def against(self, deployment: str, elapsed_ms: float) -> str | None:
        """Return the code of what now stands against a deployment, or None."""
        row = self._catalog.deployments[deployment]
        state = self._tables.snapshot().states[deployment]
        found = first_reason(_with_time_left(self._decision.request, elapsed_ms), row, state)
        if found is not None:
            return found.code
        # feedback may have taught since how good its answers are
        prediction = self._decision.prediction
        shares = list(zip(prediction.tiers, tier_probabilities(prediction.sufficiency), strict=True))
        quality = expected_quality(state.quality or row.quality, shares)
        return "quality_floor" if quality < self._decision.quality_floor else None

    def hedge_after_ms(self, first: str, second: str) -> float | None:
        """Return when a second may be asked as well: once the first is later than usual, within budget."""
        if self._first_bytes is None:
            return None
        limit_usd = self._decision.request.limits.max_cost_usd
        costs = {row.deployment: row.token_cost_usd for row in self._decision.ranking}
        both = [costs.get(first), costs.get(second)]
        if limit_usd is not None and (None in both or sum(cost or 0.0 for cost in both) > limit_usd):
            return None
        return self._first_bytes.p95_ms(first)


def _with_time_left(request: RoutingRequest, elapsed_ms: float) -> RoutingRequest:
    limit_ms = request.limits.max_latency_ms
    if limit_ms is None:
        return request
    return replace(request, limits=replace(request.limits, max_latency_ms=max(limit_ms - elapsed_ms, 0.0)))
