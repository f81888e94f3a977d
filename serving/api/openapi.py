"""The OpenAPI page of handlers that read raw bytes: schemas generated from the structs they check with."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from serving.api.anthropic.bodies import CountBody, MessagesBody
from serving.api.embeddings import EmbeddingsBody
from serving.api.observations import ObservationBody
from serving.api.openai_responses.bodies import ResponsesBody
from serving.api.schemas import ChatBody, FeedbackBody, RouteBody

_BODIES = (
    *(RouteBody, ChatBody, ResponsesBody, MessagesBody, CountBody, EmbeddingsBody),
    *(FeedbackBody, ObservationBody),
)
_NAMES_IN_PATH = re.compile(r"\{(\w+)\}")
_REFERENCE = "#/components/schemas/{name}"

# path: method, summary, body, what 200 (or 202) holds
_OPERATIONS: tuple[tuple[str, str, str, type | None, str], ...] = (
    ("/route", "post", "Decide which deployment should answer, and say why", RouteBody, "The decision"),
    (
        "/v1/chat/completions",
        "post",
        "Route a chat completion (model `auto`) or pass it to a named deployment",
        ChatBody,
        "OpenAI's answer, whole or as server-sent events; the decision is in x-weighbridge-* headers",
    ),
    ("/v1/responses", "post", "The same as a response", ResponsesBody, "OpenAI's response, or its events"),
    (
        "/v1/messages",
        "post",
        "The same in Anthropic's shape",
        MessagesBody,
        "Anthropic's message, or its events",
    ),
    ("/v1/messages/count_tokens", "post", "Estimate a prompt's tokens", CountBody, "`input_tokens`"),
    ("/v1/embeddings", "post", "Pass to a named deployment", EmbeddingsBody, "OpenAI's list of vectors"),
    ("/v1/models", "get", "List what `model` may name", None, "OpenAI's list of models"),
    ("/v1/models/{model}", "get", "Is this a name for `model`?", None, "OpenAI's model"),
    (
        "/observations",
        "post",
        "Say what came of a decision that you dispatched yourself",
        ObservationBody,
        "That it is stored",
    ),
    ("/feedback", "post", "Say what an answer was worth", FeedbackBody, "The id of the feedback"),
    (
        "/decisions/{decision_id}",
        "get",
        "Tell why something was decided, and what came of it",
        None,
        "The decision as the log's export has it, without the prompt",
    ),
    ("/healthz", "get", "Is the process alive?", None, "Yes"),
    ("/readyz", "get", "Can it decide and keep a log?", None, "Yes, and with which artifact"),
    ("/metrics", "get", "Numbers for Prometheus", None, "Text"),
)


def extend(document: dict[str, Any]) -> dict[str, Any]:
    """Add our operations to FastAPI's document and return it."""
    references, components = msgspec.json.schema_components(_BODIES, ref_template=_REFERENCE)
    body_of: dict[type, Any] = dict(zip(_BODIES, references, strict=True))
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)
    for path, method, summary, body, answer in _OPERATIONS:
        operation: dict[str, Any] = {"summary": summary, "responses": _responses(body, answer)}
        if names := _NAMES_IN_PATH.findall(path):
            operation["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
            ]
        if body is not None:
            content = {"application/json": {"schema": body_of[body]}}
            operation["requestBody"] = {"required": True, "content": content}
        document.setdefault("paths", {}).setdefault(path, {})[method] = operation
    return document


def _responses(body: type | None, answer: str) -> dict[str, Any]:
    status = "202" if body in (FeedbackBody, ObservationBody) else "200"
    responses: dict[str, Any] = {status: {"description": answer}}
    if body is not None:
        responses["4XX"] = {"description": "An error in OpenAI's shape that names the field"}
    return responses
