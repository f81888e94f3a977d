"""The decision: filters, sums, ranking. The whole idea of the router is the one function `decide`."""

from __future__ import annotations

from dataclasses import dataclass

from classifier.tiers import tier_probabilities
from serving.records import Prediction
from serving.routing.catalog import Catalog
from serving.routing.filters import Rejection, first_reason
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.scoring import Candidate, expected_quality, price
from serving.routing.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Decision:
    """What was chosen and why: `ranking` is cheapest sum first, `rejected` has a reason each.

    `propensity` is the probability with which this choice was made: 1 without exploration.
    """

    request: RoutingRequest
    prediction: Prediction
    ranking: tuple[Candidate, ...]
    rejected: tuple[Rejection, ...]
    quality_floor: float
    policy_version: str
    snapshot_version: str
    reason: str
    propensity: float = 1.0

    @property
    def chosen(self) -> Candidate | None:
        """Return the best candidate, or None where every deployment was rejected."""
        return self.ranking[0] if self.ranking else None


def decide(
    request: RoutingRequest,
    prediction: Prediction,
    catalog: Catalog,
    snapshot: Snapshot,
    policy: Policy,
) -> Decision:
    """Choose the deployment that serves this request at the least total price."""
    floor = _quality_floor(request, policy)
    shares = list(zip(prediction.tiers, tier_probabilities(prediction.sufficiency), strict=True))
    ranking: list[Candidate] = []
    rejected: list[Rejection] = []
    for row in catalog:
        state = snapshot.states[row.name]
        against = first_reason(request, row, state)
        if against is not None:
            rejected.append(against)
            continue
        quality = expected_quality(row.quality, shares)
        if quality < floor:
            reason = f"expected quality {quality:.3f} is below the floor of {floor:.3f}"
            rejected.append(Rejection(row.name, "quality_floor", reason))
            continue
        ranking.append(price(request, row, state, quality, policy))
    # the name breaks ties, so that the same input gives the same decision
    ranking.sort(key=lambda candidate: (candidate.total_usd, candidate.deployment))
    return Decision(
        request=request,
        prediction=prediction,
        ranking=tuple(ranking),
        rejected=tuple(rejected),
        quality_floor=floor,
        policy_version=policy.version,
        snapshot_version=snapshot.version,
        reason=_reason(request, prediction, ranking),
    )


def _quality_floor(request: RoutingRequest, policy: Policy) -> float:
    """A request may raise the policy's floor; naming a deployment is the caller's own choice of quality."""
    asked = request.limits.quality_floor or 0.0
    return asked if request.only else max(asked, policy.quality_floor)


def _reason(request: RoutingRequest, prediction: Prediction, ranking: list[Candidate]) -> str:
    if not ranking:
        return "no_eligible_deployment"
    if request.only:
        return "requested_by_name"
    if prediction.source != "classifier":
        return "classifier_unavailable"
    return "only_candidate" if len(ranking) == 1 else "least_total_cost"
