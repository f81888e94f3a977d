"""The canonical request: what a chat completion asks, in words that no provider owns.

`openai_request` reads it from an OpenAI body; the native adapters write it in their provider's own terms.
Turns alternate between user and assistant; tool results are parts of the user's turn that follows the calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """Words; `cache` is the caller's mark for a provider's prompt cache, passed on as it came."""

    text: str
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound or a document: its address, or its base64 data with its type."""

    kind: Literal["image", "audio", "file"]
    url: str | None = None
    media_type: str | None = None
    data: str | None = None
    name: str | None = None
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call that the model made; `signature` is a provider's proof of the thought behind it."""

    id: str
    name: str
    arguments: JsonObject
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gave back for the call of that id."""

    id: str
    name: str
    parts: tuple[Text | Media, ...]


@dataclass(frozen=True, slots=True)
class Thought:
    """A block of reasoning that its provider wants back as it was, or None of its text where it hid that."""

    block: JsonObject


Part = Text | Media | ToolUse | ToolResult | Thought


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one side said before the other spoke again."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `schema` is a JSON schema of its arguments."""

    name: str
    description: str | None
    schema: JsonObject
    strict: bool = False
    cache: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """What form the answer must have: any JSON object, or one by this schema."""

    kind: Literal["json_object", "json_schema"]
    name: str = "answer"
    schema: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    """Everything a chat completion asks; None is what the caller left to the provider.

    `tool_choice` is `auto`, `none`, `required`, or the name of the tool after `named:`.
    `thinking` is Anthropic's own field where the caller speaks that API. `others` names fields that change
    the answer and that only OpenAI's own protocol has.
    """

    system: tuple[Text, ...]
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    parallel_tools: bool | None = None
    format: Format | None = None
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    effort: str | None = None
    thinking: JsonObject | None = None
    answers: int = 1
    logprobs: bool = False
    top_logprobs: int | None = None
    user: str | None = None
    others: tuple[str, ...] = ()
