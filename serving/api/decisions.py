"""`GET /decisions/{id}`: one logged decision with its whole explanation, and what came of it."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import context_of


async def decision(request: Request) -> Response:
    """Answer with a decision as the log's export has it, without the prompt; 404 where it is not theirs.

    Callers with a `[[callers]]` row see what came with their key; all others see what came with none of
    these keys. A decision of somebody else is as unknown as one that was never made.
    """
    context = context_of(request)
    caller = context.keys.check(request)
    row = await context.gateway.find(request.path_params["decision_id"], caller.name if caller else None)
    return Response(msgspec.json.encode(row), media_type="application/json")
