"""`POST /v1/embeddings`: passed to the deployment that was named; no two models share a space of vectors."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from serving.api.answering import answered
from serving.api.asked import Asked
from serving.api.chat import PassedOn
from serving.api.context import context_of
from serving.api.schemas import LimitsBody, Name, checked, decode
from serving.dispatch.completion import Call
from serving.errors import InvalidRequest
from serving.routing.tokens import estimate_tokens
from serving.weigher import AUTO, Weighing

PATH = "/v1/embeddings"


class EmbeddingsBody(Struct):
    """The fields that are read here; every other one goes to the provider."""

    model: Name
    input: str | list[str | int | list[int]]
    weighbridge: LimitsBody | None = None


async def embeddings(request: Request) -> Response:
    """Check clearance, window and price as for a chat, then pass the request on."""
    context = context_of(request)
    raw, asked = await context.admit(request)
    found = decode(raw)
    body = checked(found, EmbeddingsBody)
    if body.model == AUTO:
        raise InvalidRequest(
            "model: embeddings are not routed. Name a deployment that makes them.", param="model"
        )
    weighing = await context.weighing(raw, lambda: _weighing(body, asked, log_text=context.log_text))
    call = Call(found, stream=False, embeds=True)
    return await answered(request, context, weighing, call, PassedOn())


def _weighing(body: EmbeddingsBody, asked: Asked, *, log_text: bool) -> Weighing:
    return Weighing(
        endpoint=PATH,
        model=body.model,
        prompt={"messages": [{"role": "user", "content": ""}]},
        input_tokens=_tokens(body.input),
        text=_text(body.input),
        output_tokens=1,
        limits=asked.limits(body.weighbridge or LimitsBody(), ["embeddings"]),
        caller=asked.caller,
        logged_text=msgspec.json.encode(body.input).decode() if log_text else None,
    )


def _text(given: str | list[str | int | list[int]]) -> str:
    return given if isinstance(given, str) else "\n".join(one for one in given if isinstance(one, str))


def _tokens(given: str | list[str | int | list[int]]) -> int:
    """Count what is given as numbers, which are tokens already, and estimate what is text.

    >>> _tokens([[1, 2, 3], [4]]), _tokens([7, 8])
    (4, 2)
    """
    if isinstance(given, str):
        return estimate_tokens(given)
    return sum(
        1 if isinstance(one, int) else _tokens(one) if isinstance(one, str) else len(one) for one in given
    )
