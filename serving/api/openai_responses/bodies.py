"""The body of `POST /v1/responses`, checked before it is translated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from serving.api.schemas import LimitsBody, Name


class Piece(Struct):
    """One part of a message's content; which fields it needs depends on its type."""

    type: Name
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_data: str | None = None
    filename: str | None = None


class Item(Struct):
    """One item of the input: a message, a tool call, its output, or a thought of an earlier turn."""

    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[Piece] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[Piece] | None = None


class Format(Struct, forbid_unknown_fields=True):
    """What the answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class Text(Struct, forbid_unknown_fields=True):
    """How the answer is written."""

    format: Format | None = None
    verbosity: str | None = None


class Reasoning(Struct, forbid_unknown_fields=True):
    """How much effort; no summary of thoughts is given, asked for or not."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class ResponsesBody(Struct, forbid_unknown_fields=True):
    """`POST /v1/responses`; `weighbridge` is ours.

    What is not here is refused by name, so that nothing a caller relies on is dropped unsaid.
    `docs/conformance.md` tells what is here and changes nothing.
    """

    model: Name
    input: str | Annotated[list[Item], Meta(min_length=1, max_length=10_000)]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Meta(gt=0)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    text: Text | None = None
    tool_choice: str | dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    user: str | None = None
    truncation: Literal["auto", "disabled"] | None = None
    include: list[str] | None = None
    top_logprobs: int | None = None
    max_tool_calls: int | None = None
    stream_options: dict[str, Any] | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    weighbridge: LimitsBody | None = None
