"""The hard limits: each filter returns None, or the reason why a deployment may not serve a request.

They fail closed: what a deployment does not state (a price, a window, a tag) it does not have.
Only a caller who names a deployment may use one whose price or window is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.routing.catalog import Deployment
from serving.routing.request import RoutingRequest
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


def lacks_compliance(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment that lacks any required tag; a tag it does not state is one it lacks."""
    missing = request.limits.compliance - row.compliance
    return ("compliance", f"not cleared for {', '.join(sorted(missing))}") if missing else None


def lacks_capability(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment that cannot do what the request needs."""
    if "embeddings" in row.capabilities and "embeddings" not in request.limits.capabilities:
        return ("capability", "makes embeddings, no answers")
    missing = request.limits.capabilities - row.capabilities
    return ("capability", f"cannot do {', '.join(sorted(missing))}") if missing else None


def window_too_small(
    request: RoutingRequest, row: Deployment, state: DeploymentState
) -> tuple[str, str] | None:
    """Reject a deployment whose window does not hold the prompt and the reserved answer."""
    needed = request.input_tokens + request.reserved_output_tokens
    if row.context_window_tokens is None:
        return None if request.only else ("context_window", "its context window is unknown")
    if needed > row.context_window_tokens:
        return (
            "context_window",
            f"needs about {needed:,} tokens, its window is {row.context_window_tokens:,}",
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


def too_dear(request: RoutingRequest, row: Deployment, state: DeploymentState) -> tuple[str, str] | None:
    """Reject a deployment whose expected cost exceeds the caller's limit, or whose price is unknown."""
    cost_usd = row.cost_usd(request.input_tokens, request.expected_output_tokens)
    limit_usd = request.limits.max_cost_usd
    if cost_usd is None:
        return None if request.only and limit_usd is None else ("price", "its price is unknown")
    if limit_usd is not None and cost_usd > limit_usd:
        return ("cost", f"expected ${cost_usd:.6f}, at most ${limit_usd:.6f} allowed")
    return None


# Order decides which reason is shown where several apply: what protects people comes first.
FILTERS: tuple[Filter, ...] = (
    not_asked_for,
    lacks_compliance,
    lacks_capability,
    window_too_small,
    output_too_long,
    too_dear,
    too_slow,
    is_unavailable,
)


def first_reason(request: RoutingRequest, row: Deployment, state: DeploymentState) -> Rejection | None:
    """Return the first reason against a deployment, or None where it may serve the request."""
    for lacks in FILTERS:
        found = lacks(request, row, state)
        if found is not None:
            return Rejection(row.name, *found)
    return None
