"""Everything in dollars: what a deployment's answer costs in tokens, waiting and lost quality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serving.routing.catalog import Deployment
from serving.routing.filters import token_cost_usd
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.snapshot import DeploymentState


@dataclass(frozen=True, slots=True)
class Candidate:
    """One eligible deployment and its sum: `total_usd` = tokens + waiting + lost quality + switching."""

    deployment: str
    tier: str
    quality: float
    latency_ms: float
    token_cost_usd: float | None
    waiting_cost_usd: float
    lost_quality_cost_usd: float
    switch_cost_usd: float = 0.0

    @property
    def total_usd(self) -> float:
        """Return the sum that the ranking goes by; infinite where the price is unknown."""
        tokens = math.inf if self.token_cost_usd is None else self.token_cost_usd
        return tokens + self.waiting_cost_usd + self.lost_quality_cost_usd + self.switch_cost_usd


def expected_quality(quality: Mapping[str, float], tier_shares: Sequence[tuple[str, float]]) -> float:
    """Return Σ P(required = tier) × quality[tier]; a tier without a number counts as quality 0.

    >>> expected_quality({"low": 0.9, "high": 0.5}, [("low", 0.75), ("high", 0.25)])
    0.8
    """
    return sum(share * quality.get(tier, 0.0) for tier, share in tier_shares)


def price(
    request: RoutingRequest,
    row: Deployment,
    state: DeploymentState,
    quality: float,
    policy: Policy,
    stays: str | None = None,
) -> Candidate:
    """Return one eligible deployment with its sum; `stays` is who has the conversation."""
    usd_per_lost_quality = policy.usd_per_lost_quality_at(request.limits.cost_versus_quality)
    latency_ms = state.latency_ms(request.expected_output_tokens)
    return Candidate(
        deployment=row.name,
        tier=row.tier,
        quality=quality,
        latency_ms=latency_ms,
        token_cost_usd=token_cost_usd(request, row),
        waiting_cost_usd=latency_ms / 1000.0 * policy.usd_per_second,
        lost_quality_cost_usd=(1.0 - quality) * usd_per_lost_quality,
        switch_cost_usd=0.0 if stays is None or row.name == stays else policy.usd_per_switch,
    )
