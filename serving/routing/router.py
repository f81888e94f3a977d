"""The decision: filters, sums, ranking. The whole idea of the router is the one function `decide`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from classifier.tiers import tier_probabilities
from serving.records import Prediction
from serving.routing.catalog import Catalog
from serving.routing.filters import Rejection, first_reason, outside, tiers_within
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.scoring import Candidate, expected_quality, price
from serving.routing.snapshot import Snapshot, Traffic


@dataclass(frozen=True, slots=True)
class Share:
    """What the cap on the lowest tier's share of the traffic had to do with a decision.

    `misroute_usd` is P(the lowest tier is not enough) × the price of lost quality: a matter of the prompt and
    the policy alone. `wanted` tells whether the lowest tier has the least sum, where there is another
    choice (None: there is not); `shifts` whether such a prompt is to go elsewhere by now.
    """

    cap: float
    traffic: Traffic
    misroute_usd: float
    shifts: bool
    wanted: bool | None


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
    share: Share
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
    tiers = tiers_within(request.limits, prediction.tiers)
    shares = list(zip(prediction.tiers, tier_probabilities(prediction.sufficiency), strict=True))
    stays = _stays_with(request, prediction, catalog)
    ranking: list[Candidate] = []
    rejected: list[Rejection] = []
    for row in catalog:
        state = snapshot.states[row.name]
        against = first_reason(request, row, state) or outside(tiers, row)
        if against is not None:
            rejected.append(against)
            continue
        quality = expected_quality(row.quality, shares)
        if quality < floor:
            reason = f"expected quality {quality:.3f} is below the floor of {floor:.3f}"
            rejected.append(Rejection(row.name, "quality_floor", reason))
            continue
        ranking.append(price(request, row, state, quality, policy, stays))
    share = _share(prediction, snapshot.traffic, policy)
    last = prediction.tiers[0] if share.shifts and not request.limits.pin else None
    wanted = _wants_lowest(request, prediction, ranking)
    first = _control_tier(request, prediction, policy)
    propensity = _propensity(request, prediction, policy, ranking, last)
    ranking.sort(key=_order(request, last, first))
    return Decision(
        request=request,
        prediction=prediction,
        ranking=tuple(ranking),
        rejected=tuple(rejected),
        quality_floor=floor,
        share=replace(share, wanted=wanted),
        policy_version=policy.version,
        snapshot_version=snapshot.version,
        reason=_reason(request, prediction, ranking, shifted=bool(wanted and last), stays=stays, first=first),
        propensity=propensity,
    )


def _order(
    request: RoutingRequest, last: str | None = None, first: str | None = None
) -> Callable[[Candidate], tuple[int, bool, bool, float, str]]:
    """Return what the ranking goes by: a pin, the tier that comes first, the one that comes last, sum, name.

    It is one order over all deployments, whatever the limits leave of them. That is why tightening a limit
    on a quantity never makes it worse: either the first choice passes the limit and stays first, or it
    exceeds the limit, and everything that is left does not.
    """
    place = {name: index for index, name in enumerate(request.limits.pin)}
    return lambda row: (
        place.get(row.deployment, 0),
        row.tier != first,
        row.tier == last,
        row.total_usd,
        row.deployment,
    )


def _control_tier(request: RoutingRequest, prediction: Prediction, policy: Policy) -> str | None:
    """Return the highest tier where the request is in the control group, which has it if any limit allows."""
    chose = request.only or request.limits.pin
    return prediction.tiers[-1] if request.control_draw < policy.control_share and not chose else None


def _propensity(
    request: RoutingRequest,
    prediction: Prediction,
    policy: Policy,
    ranking: Sequence[Candidate],
    last: str | None,
) -> float:
    """Return with which probability this choice was made, over the draw of who is in the control group."""
    share = policy.control_share
    # a draw of 1 is no draw: an exempt request, which could not have been in it
    if not ranking or not share or request.only or request.limits.pin or request.control_draw >= 1.0:
        return 1.0
    plain = min(ranking, key=_order(request, last))
    control = min(ranking, key=_order(request, last, prediction.tiers[-1]))
    if plain.deployment == control.deployment:
        return 1.0
    return share if request.control_draw < share else 1.0 - share


def _stays_with(request: RoutingRequest, prediction: Prediction, catalog: Catalog) -> str | None:
    """Return who has the conversation; None outside of one, and where it now requires a higher tier."""
    row = catalog.deployments.get(request.last_turn.deployment) if request.last_turn else None
    if row is None or row.tier not in prediction.tiers:
        return None
    rose = prediction.tiers.index(prediction.required_tier) > prediction.tiers.index(row.tier)
    return None if rose else row.name


def _share(prediction: Prediction, traffic: Traffic, policy: Policy) -> Share:
    misroute_usd = (1.0 - prediction.sufficiency[0]) * policy.usd_per_lost_quality
    shifts = policy.share_cap < 1.0 and len(prediction.tiers) > 1 and traffic.shifts(misroute_usd)
    return Share(policy.share_cap, traffic, misroute_usd, shifts, None)


def _wants_lowest(
    request: RoutingRequest, prediction: Prediction, ranking: Sequence[Candidate]
) -> bool | None:
    """Tell whether the least sum is in the lowest tier; None where there is no choice of tiers to be made."""
    lowest = prediction.tiers[0]
    if request.only or request.limits.pin or len({row.tier == lowest for row in ranking}) < 2:
        return None
    return min(ranking, key=_order(request)).tier == lowest


def _quality_floor(request: RoutingRequest, policy: Policy) -> float:
    """A request may raise the policy's floor; naming a deployment is the caller's own choice of quality."""
    asked = request.limits.quality_floor or 0.0
    return asked if request.only else max(asked, policy.quality_floor)


def _reason(
    request: RoutingRequest,
    prediction: Prediction,
    ranking: list[Candidate],
    *,
    shifted: bool,
    stays: str | None,
    first: str | None,
) -> str:
    if not ranking:
        return "no_eligible_deployment"
    if request.only:
        return "requested_by_name"
    if request.limits.pin:
        return "pinned"
    if prediction.source == "fallback":
        return "classifier_unavailable"
    if first is not None and ranking[0].tier == first:
        return "control_group"
    if shifted:
        return "share_cap"
    if ranking[0].deployment == stays and any(
        row.total_usd - row.switch_cost_usd < ranking[0].total_usd for row in ranking[1:]
    ):
        return "stays_with_conversation"
    return "only_candidate" if len(ranking) == 1 else "least_total_cost"
