"""Who answers first: one order over all candidates, and what moved in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.records import Prediction
from serving.routing.exploration import aim, neighbours, probability
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.scoring import Candidate
from serving.routing.snapshot import Traffic


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
class Ranked:
    """The candidates, best first, with why the first is first and how probable that was."""

    ranking: tuple[Candidate, ...]
    share: Share
    reason: str
    propensity: float


def rank(
    candidates: list[Candidate],
    request: RoutingRequest,
    prediction: Prediction,
    traffic: Traffic,
    policy: Policy,
    stays: str | None,
) -> Ranked:
    """Order by a pin, the control group's or the explored tier first, a shifted tier last, the sum, the name.

    The candidates come by the sum and the name. It is one order over all deployments, whatever the limits
    leave of them. That is why tightening a limit on a quantity never makes it worse: either the first choice
    passes the limit and stays first, or it exceeds the limit, and everything that is left does not.
    Exploration is the exception: it starts from what the limits leave.
    """
    place = {name: index for index, name in enumerate(request.limits.pin)}
    if place:
        candidates.sort(key=lambda row: place[row.deployment])
    misroute_usd = (1.0 - prediction.sufficiency[0]) * policy.usd_per_lost_quality
    chose = bool(request.only or place)
    shifts = policy.share_cap < 1.0 and len(prediction.tiers) > 1 and traffic.shifts(misroute_usd)
    wanted = None if chose else _wants_lowest(prediction.tiers[0], candidates)
    last = prediction.tiers[0] if shifts and not chose else None
    share = Share(policy.share_cap, traffic, misroute_usd, shifts, wanted)
    plain = _moved(candidates, None, last)
    if chose or not candidates:
        reason = _reason(request, prediction, plain, shifted=False, stays=stays)
        return Ranked(tuple(plain), share, reason, 1.0)
    explored = neighbours(plain, request, prediction, traffic, last) if policy.exploration_share else ()
    control = request.control_draw < policy.control_share
    explores = None if control else aim(request.exploration_draw, policy.exploration_share, explored)
    ranking = _moved(candidates, prediction.tiers[-1] if control else explores, last)
    if control and ranking[0].tier == prediction.tiers[-1] and prediction.source != "fallback":
        reason = "control_group"
    elif explores:
        reason = "exploration"
    else:
        reason = _reason(request, prediction, ranking, shifted=bool(wanted and last), stays=stays)
    firsts = [next(row for row in plain if row.tier == tier) for tier in explored]
    propensity = _propensity(request, policy, ranking[0], plain, firsts, prediction.tiers[-1])
    return Ranked(tuple(ranking), share, reason, propensity)


def _moved(candidates: list[Candidate], first: str | None, last: str | None) -> list[Candidate]:
    """Return the candidates with one tier moved to the front and one to the end, else in their order."""
    if first is None and last is None:
        return candidates
    # not a sort with a key: a catalog may be long
    ahead = [row for row in candidates if row.tier == first] if first else []
    behind = [row for row in candidates if row.tier == last] if last and last != first else []
    return [*ahead, *(row for row in candidates if row.tier not in (first, last)), *behind]


def _wants_lowest(lowest: str, candidates: Sequence[Candidate]) -> bool | None:
    """Tell whether the least sum is in the lowest tier; None where there is no choice of tiers to be made."""
    if not candidates:
        return None
    wants = candidates[0].tier == lowest
    has_choice = any((row.tier == lowest) != wants for row in candidates)
    return wants if has_choice else None


def _propensity(
    request: RoutingRequest,
    policy: Policy,
    chosen: Candidate,
    plain: Sequence[Candidate],
    explored: Sequence[Candidate],
    highest: str,
) -> float:
    """Return with which probability this choice was made, over the draws of control group and exploration.

    A draw of 1 is no draw: an exempt request, which could not have been in it.
    """
    names = [row.deployment for row in explored] if request.exploration_draw < 1.0 else []
    found = probability(chosen.deployment, plain[0].deployment, names, policy.exploration_share)
    share = policy.control_share
    if not share or request.control_draw >= 1.0:
        return found
    control = next((row for row in plain if row.tier == highest), plain[0])
    if chosen == control and found == 1.0:
        return 1.0
    return share * (chosen == control) + (1.0 - share) * found


def _reason(
    request: RoutingRequest,
    prediction: Prediction,
    ranking: Sequence[Candidate],
    *,
    shifted: bool,
    stays: str | None,
) -> str:
    if not ranking:
        return "no_eligible_deployment"
    if request.only:
        return "requested_by_name"
    if request.limits.pin:
        return "pinned"
    if prediction.source == "fallback":
        return "classifier_unavailable"
    if shifted:
        return "share_cap"
    if ranking[0].deployment == stays and any(
        row.total_usd - row.switch_cost_usd < ranking[0].total_usd for row in ranking[1:]
    ):
        return "stays_with_conversation"
    return "only_candidate" if len(ranking) == 1 else "least_total_cost"
