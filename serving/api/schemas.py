"""The bodies of our endpoints, checked by msgspec on the raw bytes and shown in the OpenAPI page.

Our own endpoints refuse fields they do not know; the OpenAI ones keep them for the provider.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from serving.errors import InvalidRequest

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
Label = Literal["too_weak", "fine", "overkill"]
Source = Literal["human", "judge", "check"]
Thumb = Literal["up", "down"]
Prefers = Literal["this", "other", "neither"]
# What a field may say, for the error about one that says something else.
_WORDS = {
    "role": get_args(Role),
    "label": get_args(Label),
    "source": get_args(Source),
    "thumb": get_args(Thumb),
    "prefers": get_args(Prefers),
}


class LimitsBody(Struct, forbid_unknown_fields=True):
    """What one request may cost, must be able to do, and who may answer it; what is left out is not limited.

    Each field is also a header: `x-weighbridge-max-cost-usd: 0.01`, lists with commas.
    """

    max_cost_usd: Positive | None = None
    max_latency_ms: Positive | None = None
    max_first_token_ms: Positive | None = None
    quality_floor: Share | None = None
    cost_versus_quality: Share | None = None
    minimum_tier: Name | None = None
    maximum_tier: Name | None = None
    capabilities: list[Name] = []
    compliance: list[Name] = []
    allow: list[Name] | None = None
    deny: list[Name] = []
    pin: list[Name] = []
    conversation: Name | None = None
    user_tier: Name | None = None


class ImageUrl(Struct):
    """Where an image is: an address, or the image itself as a `data:` URL."""

    url: Annotated[str, Meta(min_length=1)]


class Part(Struct):
    """One part of a message's content; the fields that its type needs are checked in `messages`."""

    type: Name
    text: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: dict[str, Any] | None = None
    file: dict[str, Any] | None = None
    refusal: str | None = None


class Message(Struct):
    """One message of a conversation, as OpenAI's SDKs send it."""

    role: Role
    content: str | list[Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None


Messages = Annotated[list[Message], Meta(min_length=1, max_length=10_000)]


class RouteBody(LimitsBody, forbid_unknown_fields=True):
    """`POST /route`: `messages` or `prompt`, and the limits."""

    messages: Messages | None = None
    prompt: Annotated[str, Meta(min_length=1)] | None = None
    model: Name = "auto"
    tools: list[dict[str, Any]] | None = None
    parallel_tool_calls: bool | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    response_format: dict[str, Any] | None = None
    max_output_tokens: Annotated[int, Meta(gt=0)] | None = None


class StreamOptions(Struct):
    """OpenAI's `stream_options`."""

    include_usage: bool | None = None


class ChatBody(Struct):
    """`POST /v1/chat/completions`: the fields that are read here; every other one goes to the provider."""

    model: Name
    messages: Messages
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[dict[str, Any]] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None
    metadata: dict[str, Any] | None = None
    user: str | None = None
    n: int | None = None
    max_tokens: Annotated[int, Meta(gt=0)] | None = None
    max_completion_tokens: Annotated[int, Meta(gt=0)] | None = None
    weighbridge: LimitsBody | None = None


class ComparisonBody(Struct, forbid_unknown_fields=True):
    """Which of two answers to the same prompt is better; the other one is a decision of the same caller."""

    other_decision_id: Name
    prefers: Prefers


class FeedbackBody(Struct, forbid_unknown_fields=True):
    """`POST /feedback`: a grade (score 0–1, thumb, label) of one decision, or its comparison with another.

    `feedback_id` makes a delivery safe to repeat; `given_at` (Unix seconds) is for feedback that comes late.
    """

    decision_id: Name
    feedback_id: Name | None = None
    given_at: Annotated[float, Meta(ge=0)] | None = None
    score: Share | None = None
    thumb: Thumb | None = None
    label: Label | None = None
    comparison: ComparisonBody | None = None
    source: Source = "human"
    comment: Annotated[str, Meta(max_length=4_000)] | None = None


Body = TypeVar("Body")


def decode(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; raise InvalidRequest that says what is wrong with it."""
    if not raw:
        raise InvalidRequest("The body is empty. Send a JSON object.")
    try:
        found = msgspec.json.decode(raw)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not valid JSON in UTF-8: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidRequest(f"The body must be a JSON object, not {_kind(found)}.")
    return found


def checked(found: dict[str, Any], shape: type[Body]) -> Body:
    """Return the object as `shape`; raise InvalidRequest that names the field."""
    try:
        return msgspec.convert(found, shape)
    except RecursionError:
        raise InvalidRequest("The body is nested too deeply.") from None
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at ")
        place = path.strip("`").removeprefix("$").removeprefix(".")
        param = ".".join(filter(None, (place, _named_in(text)))) or None
        where = f"{param}: " if param else ""
        raise InvalidRequest(f"{where}{text}.{_known_words(text, param)}", param=param) from None


def _known_words(text: str, param: str | None) -> str:
    words = _WORDS.get((param or "").rpartition(".")[2], ()) if "enum" in text else ()
    return f" Known: {', '.join(words)}." if words else ""


def _named_in(text: str) -> str | None:
    found = re.search(r"field `([^`]+)`", text)
    return found.group(1) if found else None


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean"}
    return names.get(type(value), "null")
