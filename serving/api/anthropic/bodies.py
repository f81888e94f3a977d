"""The bodies of `POST /v1/messages` and `/v1/messages/count_tokens`, checked before they are translated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from serving.api.schemas import LimitsBody, Name


class Block(Struct):
    """One block of content; which fields it needs depends on its type."""

    type: Name
    text: str | None = None
    source: dict[str, Any] | str | None = None
    title: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    tool_use_id: str | None = None
    content: str | list[Block] | None = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    citations: Any = None
    cache_control: dict[str, Any] | None = None


class Turn(Struct):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Block]


class Tool(Struct):
    """A tool of the caller's own; one that Anthropic runs has a type of its own and no schema."""

    name: Name
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache_control: dict[str, Any] | None = None


class ToolChoice(Struct):
    """Whether, and which, tools must be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct):
    """Whether the model should think first, and how long."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(gt=0)] | None = None


class Format(Struct):
    """What the answer must look like."""

    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(Struct):
    """How much effort, and in which format."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Format | None = None


class Metadata(Struct):
    """Who the caller's user is."""

    user_id: str | None = None


class CountBody(Struct, forbid_unknown_fields=True):
    """What both endpoints take; `weighbridge` is ours.

    What is not here is refused by name, so that nothing a caller relies on is dropped unsaid.
    `docs/conformance.md` tells what is here and changes nothing.
    """

    model: Name
    messages: Annotated[list[Turn], Meta(min_length=1, max_length=10_000)]
    system: str | list[Block] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    mcp_servers: list[Any] | None = None
    container: Any = None
    inference_geo: str | None = None
    cache_control: dict[str, Any] | None = None
    context_management: dict[str, Any] | None = None
    speed: str | None = None
    weighbridge: LimitsBody | None = None


class MessagesBody(CountBody, kw_only=True):
    """`POST /v1/messages`."""

    max_tokens: Annotated[int, Meta(gt=0)]
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None
