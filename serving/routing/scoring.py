"""Everything in dollars: what a deployment's answer costs in tokens, waiting and lost quality."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from serving.routing.catalog import Catalog, Deployment
from serving.routing.filters import token_cost_usd
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.snapshot import DeploymentState


class Candidate(NamedTuple):
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


# not by name: a catalog may be long, and this is what there is most of
candidate = partial(tuple.__new__, Candidate)


def by_sum(row: Candidate) -> tuple[float, str]:
    """Return what the ranking goes by: `total_usd`, then the name."""
    name, _, _, _, tokens, waiting, lost, switch = row
    return (math.inf if tokens is None else tokens) + waiting + lost + switch, name


class Rates(NamedTuple):
    """What one decision prices everything at; `stays` is who has the conversation, None outside of one."""

    usd_per_ms: float
    usd_per_lost_quality: float
    usd_per_switch: float
    stays: str | None


class Asked(NamedTuple):
    """What one decision holds against each deployment.

    `shares` is P(required = tier) of each tier; `tiers` are those that may answer, None where any may.
    """

    request: RoutingRequest
    catalog: Catalog
    states: Mapping[str, DeploymentState]
    shares: Sequence[tuple[str, float]]
    tiers: frozenset[str] | None
    floor: float
    rates: Rates


def rates(policy: Policy, dial: float | None, stays: str | None) -> Rates:
    """Return the rates of a policy, with the dial of one request."""
    return Rates(
        policy.usd_per_second / 1000.0, policy.usd_per_lost_quality_at(dial), policy.usd_per_switch, stays
    )


def expected_quality(quality: Mapping[str, float], tier_shares: Sequence[tuple[str, float]]) -> float:
    """Return Σ P(required = tier) × quality[tier]; a tier without a number counts as quality 0.

    >>> expected_quality({"low": 0.9, "high": 0.5}, [("low", 0.75), ("high", 0.25)])
    0.8
    """
    expected = 0.0
    for tier, share in tier_shares:
        expected += share * quality.get(tier, 0.0)
    return expected


def pricing(
    request: RoutingRequest, rates: Rates
) -> Callable[[Deployment, DeploymentState, float], Candidate]:
    """Return what gives an eligible deployment, its state and its quality their sum."""
    usd_per_ms, usd_per_lost_quality, usd_per_switch, stays = rates
    output_tokens = request.expected_output_tokens

    def price(row: Deployment, state: DeploymentState, quality: float) -> Candidate:
        latency_ms = state.latency_ms(output_tokens)
        switch_cost_usd = 0.0 if stays is None or row.name == stays else usd_per_switch
        return candidate(
            (
                row.name,
                row.tier,
                quality,
                latency_ms,
                token_cost_usd(request, row),
                latency_ms * usd_per_ms,
                (1.0 - quality) * usd_per_lost_quality,
                switch_cost_usd,
            ),
        )

    return price
