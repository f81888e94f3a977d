"""`POST /v1/responses`: OpenAI's newer endpoint, routed like a chat, without state between requests."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serving.api.answering import answered
from serving.api.context import context_of
from serving.api.openai_responses.answer import Responses
from serving.api.openai_responses.bodies import ResponsesBody
from serving.api.openai_responses.request import chat_of
from serving.api.schemas import ChatBody, checked, decode
from serving.api.weighing import from_chat
from serving.dispatch.completion import Call

PATH = "/v1/responses"


async def responses(request: Request) -> Response:
    """Translate, route and dispatch; the answer comes back as OpenAI's response, whole or streamed."""
    context = context_of(request)
    raw, asked = await context.admit(request)
    body = checked(decode(raw), ResponsesBody)
    chat = chat_of(body)
    weighing = await context.weighing(
        raw,
        lambda: from_chat(
            # for rules; a provider would want to store what it is attached to
            checked(chat | {"metadata": body.metadata}, ChatBody),
            chat,
            asked,
            log_text=context.log_text,
            endpoint=PATH,
        ),
    )
    call = Call(chat, stream=bool(body.stream), wants_usage=True)
    return await answered(request, context, weighing, call, Responses(body))
