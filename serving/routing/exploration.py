"""A small share of the traffic one tier up or down, at random: what makes the labels of training honest.

Without it a tier answers just those prompts that the classifier thinks it can answer, and nobody ever learns
whether it was right about the others. Only candidates are chosen from, so that no filter and no floor is
passed over; the draw is an argument, as everything is that a decision goes by.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.records import Prediction
from serving.routing.request import RoutingRequest
from serving.routing.scoring import Candidate
from serving.routing.snapshot import Traffic


def neighbours(
    ranking: Sequence[Candidate],
    request: RoutingRequest,
    prediction: Prediction,
    traffic: Traffic,
    last: str | None,
) -> tuple[str, ...]:
    """Return the tiers to explore: those next to the first choice's that have a candidate.

    None where nothing could be learned (the classifier was not asked), or where a conversation would lose its
    deployment. The lowest tier is none while its cap leaves no room for more; `last` is a tier that is full.
    """
    scale = prediction.tiers
    if not ranking or prediction.source != "classifier" or request.last_turn is not None:
        return ()
    if ranking[0].tier not in scale:
        return ()
    place = scale.index(ranking[0].tier)
    beside = [scale[one] for one in (place - 1, place + 1) if 0 <= one < len(scale)]
    full = {last} if traffic.has_room else {last, scale[0]}
    there = {row.tier for row in ranking}
    return tuple(tier for tier in beside if tier in there and tier not in full)


def aim(draw: float, share: float, tiers: Sequence[str]) -> str | None:
    """Return the tier that a draw (0–1) explores, None where it explores none; each is as likely.

    >>> [aim(draw, 0.1, ("economy", "premium")) for draw in (0.01, 0.07, 0.1, 1.0)]
    ['economy', 'premium', None, None]
    """
    if draw >= share or not tiers:
        return None
    return tiers[min(int(draw / share * len(tiers)), len(tiers) - 1)]


def probability(chosen: str, plain: str, explored: Sequence[str], share: float) -> float:
    """Return with which probability a deployment is chosen, over the draw; `explored` are each tier's first.

    >>> probability("small", "small", ["large"], 0.1), probability("large", "small", ["large"], 0.1)
    (0.9, 0.1)
    """
    if not explored:
        return float(chosen == plain)
    found = (1.0 - share) * (chosen == plain)
    return found + share * list(explored).count(chosen) / len(explored)
