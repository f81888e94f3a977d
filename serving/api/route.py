"""`POST /route`: a decision without a dispatch."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import Context, context_of
from serving.api.schemas import RouteBody, checked, decode
from serving.api.weighing import from_route
from serving.routing.explanation import as_dict


async def route(request: Request) -> Response:
    """Weigh the prompt, decide, and answer with the whole explanation."""
    context: Context = context_of(request)
    raw, asked = await context.admit(request)
    found = decode(raw)
    body = checked(found, RouteBody)
    weighing = await context.weighing(raw, lambda: from_route(body, found, asked, log_text=context.log_text))
    decided = context.gateway.route(weighing)
    answer = as_dict(decided.decision)
    answer["decide_ms"] = round(decided.decide_ms, 4)
    return Response(msgspec.json.encode(answer), media_type="application/json")
