"""The hard limits: each filter returns None, or the reason why a deployment may not serve a request.

They fail closed: what a deployment does not state (a price, a window, a tag) it does not have.
Only a caller who names a deployment may use one whose price or window is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.routing.catalog import EMBEDS, Catalog, Deployment
from serving.routing.headroom import told_usd, worst_cost_nanousd
from serving.routing.prices import PICODOLLARS_PER_DOLLAR
from serving.routing.request import Limits, RoutingRequest
from serving.routing.snapshot import DeploymentState


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a deployment was not considered: `code` for programs, `reason` for a person."""

    deployment: str
    code: str
    reason: str


Filter = Callable[[RoutingRequest, Deployment, DeploymentState], tuple[str, str] | None]


def not_asked_for(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject what the caller did not name, where a name was given."""
    if request.only:
        return None if row.name in request.only else ("not_requested", "another was asked for by name")
    return ("by_name_only", row.by_name_only) if row.by_name_only else None


def not_allowed(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject what a caller, a key or a rule denies, does not allow, or passes over for a pin."""
    limits = request.limits
    if row.name in limits.deny:
        return ("denied", "it is denied")
    if limits.allow is not None and row.name not in limits.allow:
        return ("not_allowed", "it is not among the allowed")
    if limits.pin and row.name not in limits.pin:
        return ("not_pinned", f"pinned to {', '.join(limits.pin)}")
    return None


def lacks_compliance(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment that lacks any required tag; a tag it does not state is one it lacks."""
    missing = request.limits.compliance - row.compliance
    if not missing:
        return None
    lacking = sorted(tag for tag in missing if not row.forgets_within(tag))
    return ("compliance", f"not cleared for {', '.join(lacking)}") if lacking else None


def only_embeds(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject a deployment that makes embeddings for a request that wants an answer."""
    if EMBEDS in row.capabilities and EMBEDS not in request.limits.capabilities:
        return ("capability", "makes embeddings, no answers")
    return None


def lacks_capability(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment that cannot do what the request needs."""
    missing = (request.limits.capabilities - row.capabilities) | (request.uses & row.lacks)
    return ("capability", f"cannot do {', '.join(sorted(missing))}") if missing else None


def window_too_small(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment whose window does not hold the prompt and the reserved answer."""
    needed = request.input_for(row.tokenizer).at_most + request.reserved_output_tokens
    if row.context_window_tokens is None:
        return None if request.only else ("context_window", "its context window is unknown")
    if needed > row.context_window_tokens:
        return (
            "context_window",
            f"needs up to {needed:,} tokens, its window is {row.context_window_tokens:,}",
        )
    return None


def output_too_long(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment that cannot write as long an answer as the request reserves."""
    if row.max_output_tokens is not None and request.reserved_output_tokens > row.max_output_tokens:
        return (
            "output_limit",
            f"writes at most {row.max_output_tokens:,} tokens, "
            f"{request.reserved_output_tokens:,} are reserved",
        )
    return None


def past_sunset(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject a deployment from the day on which its provider ends it, also for a caller who names it."""
    if row.sunset is None or (request.day is not None and request.day < row.sunset):
        return None
    instead = f"; {row.superseded_by} follows it" if row.superseded_by else ""
    return ("sunset", f"its provider ends it on {row.sunset}{instead}")


def is_unavailable(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment that is failing right now."""
    return ("unavailable", state.unavailable) if state.unavailable else None


def too_slow(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject a deployment whose expected time exceeds the caller's limit."""
    limit_ms = request.limits.max_latency_ms
    if limit_ms is None:
        return None
    expected_ms = state.latency_ms(request.expected_output_tokens)
    if expected_ms > limit_ms:
        return ("latency", f"expected {expected_ms:,.0f} ms, at most {limit_ms:,.0f} allowed")
    return None


def starts_too_late(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment whose expected time to the first token exceeds the caller's limit."""
    limit_ms = request.limits.max_first_token_ms
    if limit_ms is None or state.first_token_ms <= limit_ms:
        return None
    return (
        "first_token",
        f"expected {state.first_token_ms:,.0f} ms to the first token, at most {limit_ms:,.0f} allowed",
    )


def token_cost_usd(request: RoutingRequest, row: Deployment) -> float | None:
    """Return the expected price of the tokens: the one quantity that limits and sums go by."""
    turn = request.last_turn
    if turn is not None and turn.deployment == row.name:
        expected = request.input_for(row.tokenizer).expected
        return row.cost_usd(expected, request.expected_output_tokens, request.cached_input_tokens(row.name))
    # the same in few steps, as most of a long catalog reads nothing from a cache
    prices, count = row.prices, request.tokens.get(row.tokenizer)
    if prices.input is None or prices.output is None:
        return None
    input_tokens = request.input_tokens if count is None else count.expected
    return (
        input_tokens * prices.input + request.expected_output_tokens * prices.output
    ) / PICODOLLARS_PER_DOLLAR


def too_dear(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject a deployment whose expected cost exceeds the caller's limit, or whose price is unknown."""
    limit_usd = request.limits.max_cost_usd
    if row.prices.input is None or row.prices.output is None:
        return None if request.only and limit_usd is None else ("price", "its price is unknown")
    if limit_usd is None:
        return None
    cost_usd = token_cost_usd(request, row)
    if cost_usd is None:
        return ("price", "its price is unknown")
    if cost_usd > limit_usd:
        return ("cost", f"expected ${cost_usd:.6f}, at most ${limit_usd:.6f} allowed")
    return None


def over_budget(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject a deployment whose answer might exceed what a budget leaves, or whose cost nobody can bound."""
    purses = [purse for purse in request.headroom if purse.holds_for(row.name)]
    if not purses:
        return None
    unknown = next((purse for purse in purses if purse.left_nanousd is None), None)
    if unknown is not None:
        return ("budget_unknown", f"nobody can tell what is left of {unknown.told}")
    most = worst_cost_nanousd(request, row)
    if most is None:
        return ("budget_price", f"{purses[0].told} holds, and the most it can cost is unknown")
    least = min(purses, key=lambda purse: purse.left_nanousd or 0)
    left = least.left_nanousd or 0
    if most <= left:
        return None
    return (
        "budget",
        f"may cost up to {told_usd(most)}, {least.told} has {told_usd(left)} left until {least.renews}",
    )


# Order decides which reason is shown where several apply: what protects people comes first.
FILTERS: tuple[Filter, ...] = (
    not_asked_for,
    not_allowed,
    lacks_compliance,
    past_sunset,
    only_embeds,
    lacks_capability,
    window_too_small,
    output_too_long,
    too_dear,
    over_budget,
    too_slow,
    starts_too_late,
    is_unavailable,
)


def filters_for(request: RoutingRequest) -> tuple[Filter, ...]:
    """Return the filters that can reject anything for this request, in their order.

    A catalog may be long: what a request does not limit is not asked of each deployment. A filter that holds
    whatever the request says (`only_embeds` holds where nothing is asked) is never among the idle.
    """
    limits = request.limits
    idle: dict[Filter, bool] = {
        not_allowed: not limits.deny and limits.allow is None and not limits.pin,
        lacks_compliance: not limits.compliance,
        lacks_capability: not limits.capabilities and not request.uses,
        over_budget: not request.headroom,
        too_slow: limits.max_latency_ms is None,
        starts_too_late: limits.max_first_token_ms is None,
    }
    asked = (lacks for lacks in FILTERS if not idle.get(lacks, False))
    return tuple(_quick_over_budget(request) if lacks is over_budget else lacks for lacks in asked)


def _quick_over_budget(request: RoutingRequest) -> Filter:
    """Return `over_budget` for one request; what fits the least that is left of any needs no second look."""
    least = min((purse.left_nanousd or 0 for purse in request.headroom), default=0)

    def quick(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
        most = worst_cost_nanousd(request, row)
        fits = most is not None and 0 < most <= least
        return None if fits else over_budget(request, row, state)

    return quick


def filters_that_can(
    filters: Sequence[Filter], request: RoutingRequest, catalog: Catalog
) -> tuple[Filter, ...]:
    """Return those of the filters that can reject a deployment without conditions of its own.

    Most of a long catalog is of that kind: nothing but what a request asks for is asked about it, and sizes
    only where they exceed the least of the catalog.
    """
    if request.only:
        return tuple(filters)
    reserved = request.reserved_output_tokens
    longest = max((count.at_most for count in request.tokens.values()), default=0)
    idle: dict[Filter, bool] = {
        not_asked_for: True,
        past_sunset: True,
        only_embeds: True,
        lacks_capability: not request.limits.capabilities,
        too_dear: request.limits.max_cost_usd is None,
        window_too_small: max(longest, request.input_tokens) + reserved <= catalog.least_window_tokens,
        output_too_long: reserved <= catalog.least_output_tokens,
    }
    return tuple(lacks for lacks in filters if not idle.get(lacks, False))


def first_reason(
    request: RoutingRequest,
    row: Deployment,
    state: DeploymentState,
    filters: Sequence[Filter] = FILTERS,
) -> Rejection | None:
    """Return the first reason against a deployment, or None where it may serve the request."""
    for lacks in filters:
        found = lacks(request, row, state)
        if found is not None:
            return Rejection(row.name, *found)
    return None


def tiers_within(limits: Limits, scale: Sequence[str]) -> frozenset[str] | None:
    """Return the tiers that may answer, None where any may; none of them where a bound is not on the scale.

    >>> sorted(tiers_within(Limits(minimum_tier="standard"), ("economy", "standard", "premium")))
    ['premium', 'standard']
    """
    low, high = limits.minimum_tier, limits.maximum_tier
    if low is None and high is None:
        return None
    if any(tier is not None and tier not in scale for tier in (low, high)):
        return frozenset()
    first = scale.index(low) if low else 0
    last = scale.index(high) if high else len(scale) - 1
    return frozenset(scale[first : last + 1])


def outside(tiers: frozenset[str] | None, row: Deployment) -> Rejection | None:
    """Reject a deployment whose tier is not one of those that may answer."""
    if tiers is None or row.tier in tiers:
        return None
    return Rejection(row.name, "tier", f"its tier {row.tier} is outside the bounds that were asked for")
