"""`POST /v1/chat/completions`: OpenAI's endpoint, whole and streamed."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.answering import answered
from serving.api.context import context_of
from serving.api.schemas import ChatBody, checked, decode
from serving.api.weighing import from_chat
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call


async def chat(request: Request) -> Response:
    """Route, dispatch, and pass the answer on; the decision is in the response's headers."""
    context = context_of(request)
    raw, asked = await context.admit(request)
    found = decode(raw)
    body = checked(found, ChatBody)
    wants_usage = bool(body.stream_options and body.stream_options.include_usage)
    call = Call(found, stream=bool(body.stream), wants_usage=wants_usage)
    weighing = await context.weighing(raw, lambda: from_chat(body, found, asked, log_text=context.log_text))
    return await answered(request, context, weighing, call, PassedOn())


class PassedOn:
    """OpenAI's chat completions, which is what adapters give: everything goes on as it came."""

    def whole(self, body: bytes, decision_id: str) -> bytes:
        """Return the body."""
        return body

    def begin(self, decision_id: str) -> None:
        """Nothing has to be known."""

    def piece(self, events: bytes) -> bytes:
        """Return the events."""
        return events

    def failure(self, error: ProviderError) -> bytes:
        """End a stream that broke in the middle as OpenAI does: an `error` object, which SDKs raise."""
        told = {"message": error.message, "type": "upstream_error", "param": None, "code": error.kind}
        return b"data: " + msgspec.json.encode({"error": told}) + b"\n\n"
