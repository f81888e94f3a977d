"""`POST /observations`: what came of a decision that its caller dispatched themselves."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import context_of
from serving.api.schemas import Name, checked, decode
from serving.errors import InvalidRequest
from serving.records import Attempt, Outcome, Usage

Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]
Tokens = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Dollars = Annotated[float, Meta(ge=0, le=1_000_000)]
Kind = Literal[
    "authentication",
    "permission",
    "not_found",
    "invalid_request",
    "context_length",
    "content_filter",
    "rate_limit",
    "overloaded",
    "timeout",
    "upstream",
]


class ObservationBody(Struct, forbid_unknown_fields=True):
    """`POST /observations`: how a decision of `/route` ended; send it once, also for a failure.

    `deployment` is who was asked, the decision's own where it is left out. Without `cost_usd` it is reckoned
    from the tokens and the catalog's prices.
    """

    decision_id: Name
    latency_ms: Milliseconds
    deployment: Name | None = None
    status: Literal["ok", "error", "cancelled"] = "ok"
    error: Kind | None = None
    http_status: Annotated[int, Meta(ge=100, le=599)] | None = None
    first_token_ms: Milliseconds | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cached_input_tokens: Tokens | None = None
    cache_write_input_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None
    cost_usd: Dollars | None = None


async def observations(request: Request) -> Response:
    """Store what came of a decision, and let the live tables learn from it."""
    context = context_of(request)
    raw, asked = await context.admit(request)
    outcome = _outcome(checked(decode(raw), ObservationBody))
    await context.gateway.observed(outcome, asked.caller.name if asked.caller else None)
    answer = {"decision_id": outcome.decision_id, "status": "stored"}
    return Response(msgspec.json.encode(answer), media_type="application/json", status_code=202)


def _outcome(body: ObservationBody) -> Outcome:
    """Return the body as an outcome; raise InvalidRequest where it contradicts itself."""
    if body.error is not None and body.status != "error":
        raise InvalidRequest(f"error: goes with status 'error', not {body.status!r}.", param="error")
    if body.first_token_ms is not None and body.first_token_ms > body.latency_ms:
        raise InvalidRequest(
            "first_token_ms: is more than latency_ms, the time of the whole answer.", param="first_token_ms"
        )
    if (body.cached_input_tokens or 0) > (body.input_tokens or 0):
        raise InvalidRequest(
            "cached_input_tokens: are part of input_tokens. Send both, counted that way.",
            param="cached_input_tokens",
        )
    error = (body.error or "upstream") if body.status == "error" else None
    name = body.deployment or ""
    attempt = Attempt(name, body.status, body.latency_ms, error, body.http_status)
    return Outcome(
        decision_id=body.decision_id,
        finished_at=time.time(),
        status=body.status,
        deployment=body.deployment,
        streamed=body.first_token_ms is not None,
        usage=Usage(
            body.input_tokens,
            body.output_tokens,
            body.cached_input_tokens,
            body.cache_write_input_tokens,
            body.reasoning_tokens,
        ),
        cost_usd=body.cost_usd,
        first_token_ms=body.first_token_ms,
        latency_ms=body.latency_ms,
        attempts=(attempt,),
        error=error,
    )
