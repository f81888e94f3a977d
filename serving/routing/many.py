"""The candidates of a long catalog, column by column: what `filters` and `scoring` say, of all at once.

It says only who passes. Every step is the same one in the same order as for a single deployment, so that each
sum comes out the same to the last bit: money in whole picodollars, floats one operation at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from serving.routing.catalog import Catalog
from serving.routing.columns import EXACT, Columns, Live, Mask, Real, Whole
from serving.routing.filters import token_cost_usd
from serving.routing.headroom import PICODOLLARS_PER_NANODOLLAR, Headroom
from serving.routing.prices import PICODOLLARS_PER_DOLLAR
from serving.routing.request import RoutingRequest
from serving.routing.scoring import Asked, Candidate, candidate


class _Tokens(NamedTuple):
    """What the prompt comes to for each deployment."""

    expected: Whole
    at_most: Whole


def candidates_in(asked: Asked) -> list[Candidate] | None:
    """Return the candidates by their sum and name; None where columns of 64 bits do not hold the numbers.

    For requests that name no deployment: a name lifts limits.
    """
    request, columns = asked.request, asked.catalog.columns()
    if not _holds(columns, request):
        return None
    live = columns.live(asked.states)
    counts = [request.input_for(family) for family in columns.families]
    tokens = _Tokens(*(np.array(one, dtype=np.int64)[columns.family] for one in zip(*counts, strict=True)))
    may = _may(asked, columns, live) & _fits(request, columns, tokens)
    for purse in request.headroom:
        may &= _within(purse, request, columns, tokens)
    cost = _cost_usd(request, asked.catalog, columns, tokens)
    latency = live.first_token_ms + 1000.0 * request.expected_output_tokens / live.tokens_per_second
    may &= _within_limits(request, cost, latency, live)
    quality = np.zeros(len(may))
    for tier, share in asked.shares:
        quality += share * columns.quality(live, tier)
    # a limit that is no number rejects nothing, here as there
    may &= ~(quality < asked.floor)
    return _by_sum(asked, columns, np.flatnonzero(may), (quality, latency, cost))


def _holds(columns: Columns, request: RoutingRequest) -> bool:
    """Tell whether every number stays one that a float holds exactly, by one bound for all."""
    counts = [request.input_for(family) for family in columns.families]
    most_input = max(*(max(count) for count in counts), columns.largest_size, 0)
    most_output = max(
        request.expected_output_tokens, request.max_output_tokens or columns.largest_size, 0
    ) * max(request.choices, 1)
    most_input += request.unmeasured_tokens or 0
    largest = max(columns.largest_price, 1)
    reserved = request.reserved_output_tokens
    return (most_input + most_output) * largest < EXACT and most_input + reserved < EXACT


def _may(asked: Asked, columns: Columns, live: Live) -> Mask:
    """Return who stands, is up, allowed and of a tier that may answer."""
    limits = asked.request.limits
    may = live.is_up & columns.standing(asked.request)
    if limits.deny:
        may[columns.places(limits.deny)] = False
    if limits.allow is not None:
        allowed = np.zeros(len(may), dtype=np.bool_)
        allowed[columns.places(limits.allow)] = True
        may &= allowed
    return may if asked.tiers is None else may & columns.of_tiers(asked.tiers)


def _fits(request: RoutingRequest, columns: Columns, tokens: _Tokens) -> Mask:
    """Return whose window holds the prompt and the answer, and who writes answers as long as that."""
    reserved = request.reserved_output_tokens
    return (tokens.at_most + reserved <= columns.window) & (reserved <= columns.output_limit)


def _within(purse: Headroom, request: RoutingRequest, columns: Columns, tokens: _Tokens) -> Mask:
    """Return for whom a budget does not hold, or has what they may cost at most: `worst_cost_nanousd`."""
    unmeasured = request.unmeasured_tokens
    output = request.max_output_tokens or columns.longest_answer
    # a part of unknown length may fill the window
    prompt = columns.window if unmeasured is None else tokens.at_most + unmeasured
    most = prompt * columns.dearest_input + request.choices * output * columns.dearest_output
    is_known = columns.has_price & (prompt >= 0) & (np.asarray(output) >= 0)
    left = purse.left_nanousd
    affords = np.zeros(len(most), dtype=np.bool_)
    if left is not None:
        affords = is_known & (most <= min(left * PICODOLLARS_PER_NANODOLLAR, EXACT))
    if purse.deployments is not None:
        holds = np.zeros(len(most), dtype=np.bool_)
        holds[columns.places(purse.deployments)] = True
        return affords | ~holds
    return affords


def _cost_usd(request: RoutingRequest, catalog: Catalog, columns: Columns, tokens: _Tokens) -> Real:
    """Return the expected price of the tokens; what the last turn has warmed is read from the cache."""
    output_tokens = request.expected_output_tokens
    picodollars = tokens.expected * columns.input_price + output_tokens * columns.output_price
    cost = picodollars / float(PICODOLLARS_PER_DOLLAR)
    row = catalog.deployments.get(request.last_turn.deployment) if request.last_turn else None
    warm = None if row is None else token_cost_usd(request, row)
    if row is not None and warm is not None:
        cost[columns.place[row.name]] = warm
    return cost


def _within_limits(request: RoutingRequest, cost: Real, latency: Real, live: Live) -> Mask:
    limits = request.limits
    exceeds = np.zeros(len(cost), dtype=np.bool_)
    if limits.max_cost_usd is not None:
        exceeds |= cost > limits.max_cost_usd
    if limits.max_latency_ms is not None:
        exceeds |= latency > limits.max_latency_ms
    if limits.max_first_token_ms is not None:
        exceeds |= live.first_token_ms > limits.max_first_token_ms
    return ~exceeds


def _by_sum(asked: Asked, columns: Columns, places: Whole, sums: Sequence[Real]) -> list[Candidate]:
    usd_per_ms, usd_per_lost_quality, usd_per_switch, stays = asked.rates
    quality, latency, cost = (column[places] for column in sums)
    waiting, lost = latency * usd_per_ms, (1.0 - quality) * usd_per_lost_quality
    switch = np.zeros(len(places))
    if stays is not None:
        switch[places != columns.place[stays]] = usd_per_switch
    # names break ties: that is the order of the columns already
    order = np.argsort(cost + waiting + lost + switch, kind="stable")
    texts = (columns.names[places], columns.tiers[places])
    parts = (*texts, quality, latency, cost, waiting, lost, switch)
    return list(map(candidate, zip(*(part[order].tolist() for part in parts), strict=True)))
