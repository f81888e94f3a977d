"""From a checked body to what the gateway weighs: sizes, limits and needs that the body itself shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

import msgspec

from serving.api.asked import Asked
from serving.api.conversation import conversation_key, goes_on
from serving.api.schemas import ChatBody, LimitsBody, Message, Part, RouteBody
from serving.errors import InvalidRequest
from serving.routing.tokens import REFERENCE_FAMILY, count_tokens
from serving.settings.vocabulary import SEVERAL_ANSWERS
from serving.weigher import Weighing

# What OpenAI charges for the framing of a message, and about what an image of middling size costs.
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_ATTACHMENT = 800
# What an image comes to at most (Claude's largest, platform.claude.com/docs/en/build-with-claude/vision); how
# long audio and files are, nobody can tell here.
_MOST_TOKENS_PER_IMAGE = 5_000

# Who speaks above the user.
_RULING = ("system", "developer")
# A part's type: the field it must carry, and what a deployment must be able to do to read it.
_PARTS: dict[str, tuple[str, str | None]] = {
    "text": ("text", None),
    "refusal": ("refusal", None),
    "image_url": ("image_url", "vision"),
    "input_audio": ("input_audio", "audio"),
    "file": ("file", "files"),
}


def from_route(body: RouteBody, found: dict[str, Any], asked: Asked, *, log_text: bool) -> Weighing:
    """Return what `POST /route` asks to weigh; raise InvalidRequest where it names no prompt, or two."""
    if (body.messages is None) == (body.prompt is None):
        raise InvalidRequest("messages: send either messages or prompt, one of them.", param="messages")
    if body.prompt is not None:
        prompt: dict[str, Any] = {"messages": [{"role": "user", "content": body.prompt}]}
        messages = [Message(role="user", content=body.prompt)]
    else:
        prompt, messages = {"messages": found["messages"]}, body.messages or []
    return _weighing(
        "/route",
        body.model,
        prompt | _extras(found),
        messages,
        asked,
        limits=body,
        output_tokens=body.max_output_tokens,
        parallel_tools=body.parallel_tool_calls,
        metadata=body.metadata,
        user=body.user,
        log_text=log_text,
    )


def from_chat(
    body: ChatBody,
    found: dict[str, Any],
    asked: Asked,
    *,
    log_text: bool,
    endpoint: str = "/v1/chat/completions",
) -> Weighing:
    """Return what a chat completion asks to weigh; `endpoint` is where it came in."""
    return _weighing(
        endpoint,
        body.model,
        {"messages": found["messages"]} | _extras(found),
        body.messages,
        asked,
        limits=body.weighbridge or LimitsBody(),
        output_tokens=body.max_completion_tokens or body.max_tokens,
        parallel_tools=body.parallel_tool_calls,
        metadata=body.metadata,
        user=body.user,
        choices=max(body.n or 1, 1),
        speaks="audio" in (body.modalities or ()),
        uses={name for name, used in (("streaming", body.stream), ("stop", found.get("stop"))) if used},
        log_text=log_text,
    )


def _weighing(
    endpoint: str,
    model: str,
    prompt: dict[str, Any],
    messages: list[Message],
    asked: Asked,
    *,
    limits: LimitsBody,
    output_tokens: int | None,
    parallel_tools: bool | None,
    metadata: Mapping[str, Any] | None,
    user: str | None,
    speaks: bool = False,
    uses: Set[str] = frozenset(),
    choices: int = 1,
    log_text: bool,
) -> Weighing:
    texts, needs, attachments, unmeasured = _contents(messages)
    if prompt.get("tools"):
        needs.add("tools")
        if parallel_tools:
            needs.add("parallel_tools")
    if choices > 1:
        needs.add(SEVERAL_ANSWERS)
    if speaks:
        needs.add("audio")
    if (prompt.get("response_format") or {}).get("type") == "json_schema":
        needs.add("json_schema")
    text = "\n".join(texts)
    framing = _TOKENS_PER_MESSAGE * len(messages) + _TOKENS_PER_ATTACHMENT * attachments
    counted = "\n".join([text, *_described(prompt, messages)])
    tokens = count_tokens(counted, framing)
    # first: it completes the body's limits from the headers
    hard = asked.limits(limits, needs)
    return Weighing(
        endpoint=endpoint,
        model=model,
        prompt=prompt,
        input_tokens=tokens[REFERENCE_FAMILY].expected,
        tokens=tokens,
        output_tokens=output_tokens,
        limits=hard,
        caller=asked.caller,
        text=text,
        user=user,
        user_tier=limits.user_tier,
        metadata={name: value for name, value in (metadata or {}).items() if isinstance(value, str)},
        conversation=conversation_key(messages, limits.conversation, asked.caller),
        goes_on=goes_on(messages, limits.conversation),
        shape=next((word for word in ("tools", "json_schema") if word in needs), "text"),
        choices=choices,
        uses=frozenset(uses) | {"system_prompt" for one in messages if one.role in _RULING},
        unmeasured_tokens=unmeasured,
        logged_text=msgspec.json.encode(prompt["messages"]).decode() if log_text else None,
    )


def _contents(messages: list[Message]) -> tuple[list[str], set[str], int, int | None]:
    """Return texts, what it takes to read them, attachments, and tokens that they may have beyond the count.

    The last is None where one of them is no image: nobody can say how many tokens it has.
    """
    texts: list[str] = []
    needs: set[str] = set()
    attachments = 0
    unmeasured: int | None = 0
    for part, need in _parts(messages):
        texts.append(part)
        if need is not None:
            needs.add(need)
            attachments += 1
            if need != "vision" or unmeasured is None:
                unmeasured = None
            else:
                unmeasured += _MOST_TOKENS_PER_IMAGE - _TOKENS_PER_ATTACHMENT
    return texts, needs, attachments, unmeasured


def _described(prompt: Mapping[str, Any], messages: list[Message]) -> Iterator[str]:
    """Yield what the provider reads beside the messages' text: tools, calls of them, the answer's schema."""
    calls = [message.tool_calls for message in messages if message.tool_calls]
    for found in (prompt.get("tools"), prompt.get("response_format"), calls):
        if found:
            yield msgspec.json.encode(found).decode("utf-8", "replace")


def _parts(messages: list[Message]) -> Iterator[tuple[str, str | None]]:
    """Yield the text of each part with what it takes to read it; raise InvalidRequest on a bad part."""
    for place, message in enumerate(messages):
        if isinstance(message.content, str):
            yield message.content, None
        for index, part in enumerate(message.content if isinstance(message.content, list) else ()):
            yield part.text or "", _need(part, f"messages[{place}].content[{index}]")


def _need(part: Part, path: str) -> str | None:
    known = _PARTS.get(part.type)
    if known is None:
        kinds = ", ".join(_PARTS)
        raise InvalidRequest(
            f"{path}.type: {part.type!r} is not a part that can be sent. Known: {kinds}.",
            param=f"{path}.type",
        )
    field, need = known
    if getattr(part, field) is None:
        raise InvalidRequest(
            f"{path}: a part of type {part.type!r} needs the field {field!r}.", param=f"{path}.{field}"
        )
    return need


def _extras(found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in ("tools", "response_format") if found.get(name)}
