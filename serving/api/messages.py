"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's endpoints, routed like a chat."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.answering import answered
from serving.api.anthropic.answer import Messages
from serving.api.anthropic.bodies import CountBody, MessagesBody
from serving.api.anthropic.request import chat_of
from serving.api.asked import Asked
from serving.api.context import Context, context_of
from serving.api.schemas import ChatBody, checked, decode
from serving.api.weighing import from_chat
from serving.dispatch.completion import Call
from serving.weigher import Weighing

PATH = "/v1/messages"


async def messages(request: Request) -> Response:
    """Translate, route and dispatch; the answer comes back as Anthropic's message, whole or streamed."""
    context = context_of(request)
    raw, asked = await context.admit(request)
    body = checked(decode(raw), MessagesBody)
    chat = chat_of(body)
    weighing = await context.weighing(raw, lambda: _weighing(chat, context, asked))
    wire = Messages(stop_sequences=body.stop_sequences or (), input_tokens=weighing.input_tokens)
    call = Call(chat, stream=bool(body.stream), wants_usage=True)
    return await answered(request, context, weighing, call, wire)


async def count_tokens(request: Request) -> Response:
    """Estimate the prompt's tokens, as the decision does: which deployment answers is not known yet."""
    context = context_of(request)
    raw, asked = await context.admit(request)
    body = checked(decode(raw), CountBody)
    weighing = await context.weighing(raw, lambda: _weighing(chat_of(body), context, asked))
    counted = {"input_tokens": weighing.input_tokens}
    return Response(msgspec.json.encode(counted), media_type="application/json")


def _weighing(chat: dict[str, Any], context: Context, asked: Asked) -> Weighing:
    return from_chat(checked(chat, ChatBody), chat, asked, log_text=context.log_text, endpoint=PATH)
