"""`POST /feedback`: what someone thought of an answer."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import context_of
from serving.api.opinion import opinion
from serving.api.schemas import FeedbackBody, checked, decode


async def feedback(request: Request) -> Response:
    """Store the feedback against its decision; 404 where the caller has no such decision.

    The same feedback delivered again changes nothing, and is answered as `known`.
    """
    context = context_of(request)
    raw, asked = await context.admit(request)
    given = opinion(checked(decode(raw), FeedbackBody))
    is_new = await context.gateway.feedback(given, asked.caller.name if asked.caller else None)
    answer = {
        "feedback_id": given.feedback_id,
        "decision_id": given.decision_id,
        "status": "stored" if is_new else "known",
    }
    return Response(msgspec.json.encode(answer), media_type="application/json", status_code=202)
