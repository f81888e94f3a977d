"""`POST /feedback`: what someone thought of an answer."""

from __future__ import annotations

import secrets
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import context_of
from serving.api.schemas import FeedbackBody, checked, decode
from serving.errors import InvalidRequest
from serving.records import Feedback


async def feedback(request: Request) -> Response:
    """Store the feedback against its decision; 404 where there is no such decision."""
    context = context_of(request)
    raw, _ = await context.admit(request)
    body = checked(decode(raw), FeedbackBody)
    if body.score is None and body.label is None:
        raise InvalidRequest("score: send a score from 0 to 1, a label, or both.", param="score")
    given = Feedback(
        feedback_id=f"fb_{secrets.token_hex(12)}",
        decision_id=body.decision_id,
        created_at=time.time(),
        source=body.source,
        score=body.score,
        label=body.label,
        comment=body.comment,
    )
    await context.gateway.feedback(given)
    stored = {"feedback_id": given.feedback_id, "decision_id": given.decision_id, "status": "stored"}
    return Response(msgspec.json.encode(stored), media_type="application/json", status_code=202)
