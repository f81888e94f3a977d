"""The decision: filters, sums, ranking. The whole idea of the router is the one function `decide`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from classifier.tiers import tier_probabilities
from serving.records import Prediction
from serving.routing.catalog import Catalog
from serving.routing.filters import Rejection, tiers_within
from serving.routing.policy import Policy
from serving.routing.ranking import Share, rank
from serving.routing.request import RoutingRequest
from serving.routing.scoring import Asked, Candidate, rates
from serving.routing.sifting import sift
from serving.routing.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Decision:
    """What was chosen and why: `ranking` is cheapest sum first, `rejected` has a reason each.

    `propensity` is the probability with which this choice was made: 1 without exploration. The reasons in
    `rejected` of a long catalog are worked out when they are first read.
    """

    request: RoutingRequest
    prediction: Prediction
    ranking: tuple[Candidate, ...]
    rejected: Sequence[Rejection]
    quality_floor: float
    share: Share
    policy_version: str
    snapshot_version: str
    reason: str
    propensity: float = 1.0

    @property
    def chosen(self) -> Candidate | None:
        """Return the best candidate, or None where every deployment was rejected."""
        return self.ranking[0] if self.ranking else None


class Inputs(NamedTuple):
    """All that a decision goes by, in the order of `decide`: the same inputs give the same decision."""

    request: RoutingRequest
    prediction: Prediction
    catalog: Catalog
    snapshot: Snapshot
    policy: Policy


def decide(
    request: RoutingRequest,
    prediction: Prediction,
    catalog: Catalog,
    snapshot: Snapshot,
    policy: Policy,
) -> Decision:
    """Choose the deployment that serves this request at the least total price."""
    asked = asked_of(request, prediction, catalog, snapshot, policy)
    candidates, rejected = sift(asked)
    ranked = rank(candidates, request, prediction, snapshot.traffic, policy, asked.rates.stays)
    return Decision(
        request=request,
        prediction=prediction,
        ranking=ranked.ranking,
        rejected=rejected,
        quality_floor=asked.floor,
        share=ranked.share,
        policy_version=policy.version,
        snapshot_version=snapshot.version,
        reason=ranked.reason,
        propensity=ranked.propensity,
    )


def asked_of(
    request: RoutingRequest,
    prediction: Prediction,
    catalog: Catalog,
    snapshot: Snapshot,
    policy: Policy,
) -> Asked:
    """Return what a decision holds against each deployment."""
    stays = _stays_with(request, prediction, catalog)
    return Asked(
        request,
        catalog,
        snapshot.states,
        list(zip(prediction.tiers, tier_probabilities(prediction.sufficiency), strict=True)),
        tiers_within(request.limits, prediction.tiers),
        _quality_floor(request, policy),
        rates(policy, request.limits.cost_versus_quality, stays),
    )


def _stays_with(request: RoutingRequest, prediction: Prediction, catalog: Catalog) -> str | None:
    """Return who has the conversation; None outside of one, and where it now requires a higher tier."""
    row = catalog.deployments.get(request.last_turn.deployment) if request.last_turn else None
    if row is None or row.tier not in prediction.tiers:
        return None
    rose = prediction.tiers.index(prediction.required_tier) > prediction.tiers.index(row.tier)
    return None if rose else row.name


def _quality_floor(request: RoutingRequest, policy: Policy) -> float:
    """A request may raise the policy's floor; naming a deployment is the caller's own choice of quality."""
    asked = request.limits.quality_floor or 0.0
    return asked if request.only else max(asked, policy.quality_floor)
