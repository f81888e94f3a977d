"""The probes: what is sent, and what an answer must be for the capability to be there."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from serving.settings.vocabulary import SEVERAL_ANSWERS

# Enough for a model that thinks first.
_MOST_TOKENS = 2_000
_PLACE = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
_WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Returns the weather of a place.",
        "parameters": _PLACE,
    },
}
_PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
_NEEDLE = "The password is heron-4417."

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Probe:
    """One request, and what is wrong with an answer to it: None where nothing is.

    `complaint` takes the message of the first choice; of a stream, what its chunks add up to. There must be
    so many `answers`.
    """

    name: str
    body: dict[str, Any]
    complaint: Callable[[Message], str | None]
    stream: bool = False
    answers: int = 1


def probes(long_context_tokens: int) -> tuple[Probe, ...]:
    """Return all probes; the long prompt has about so many tokens."""
    return (
        Probe(
            "system_prompt",
            _asked(
                "What is the capital of Peru?", system="Answer every question with the single word PELICAN."
            ),
            _says("pelican"),
        ),
        Probe("stop", _asked("Say exactly: alpha beta gamma delta", stop=["gamma"]), _stops),
        Probe(
            "json_schema",
            _asked("Ada is 36 years old. Who is it?", response_format=_schema(_PERSON)),
            _is_person,
        ),
        Probe("tools", _asked("Call the tool to learn the weather in Lima.", tools=[_WEATHER]), _calls(1)),
        Probe(
            "parallel_tools",
            _asked("Call the tool for Lima and for Oslo, both calls in one answer.", tools=[_WEATHER]),
            _calls(2),
        ),
        Probe("streaming", _asked("Count from one to twenty in words."), _says("twenty"), stream=True),
        Probe("vision", _seen("Which colour fills this image? One word."), _says("red")),
        Probe(SEVERAL_ANSWERS, _asked("Name any bird in one word.", n=2), _says(""), answers=2),
        Probe("long_context", _asked(_long(long_context_tokens)), _says("heron-4417")),
    )


def _asked(text: str, system: str | None = None, **fields: Any) -> dict[str, Any]:
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": text})
    return {"messages": messages, "max_completion_tokens": _MOST_TOKENS} | fields


def _seen(text: str) -> dict[str, Any]:
    image = {"type": "image_url", "image_url": {"url": _red_square()}}
    content = [{"type": "text", "text": text}, image]
    return {"messages": [{"role": "user", "content": content}], "max_completion_tokens": _MOST_TOKENS}


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}


def _long(tokens: int) -> str:
    # a line is about 12 tokens
    lines = [f"Line {number}: the ferry left the harbour on time." for number in range(max(tokens // 12, 1))]
    lines.insert(len(lines) // 3, _NEEDLE)
    return "\n".join(lines) + "\n\nWhat is the password? Answer with it alone."


def _says(word: str) -> Callable[[Message], str | None]:
    def complaint(message: Message) -> str | None:
        said = str(message.get("content") or "")
        return None if word in said.lower() else f"expected {word!r}, it said {_shortened(said)}"

    return complaint


def _stops(message: Message) -> str | None:
    said = str(message.get("content") or "").lower()
    if "gamma" in said:
        return "it wrote past the stop sequence"
    return None if "beta" in said else f"expected 'beta', it said {_shortened(said)}"


def _is_person(message: Message) -> str | None:
    said = str(message.get("content") or "")
    try:
        person = msgspec.json.decode(said)
    except msgspec.DecodeError:
        return f"its answer is not JSON: {_shortened(said)}"
    if not isinstance(person, dict) or set(person) != {"name", "age"}:
        return f"its answer does not follow the schema: {_shortened(said)}"
    is_right = isinstance(person["name"], str) and person["age"] == 36
    return None if is_right else f"its answer does not follow the schema: {_shortened(said)}"


def _calls(least: int) -> Callable[[Message], str | None]:
    def complaint(message: Message) -> str | None:
        calls = message.get("tool_calls") or []
        if len(calls) < least:
            return f"expected {least} tool call(s) in one answer, there are {len(calls)}"
        for call in calls:
            function = call.get("function") or {}
            try:
                given = msgspec.json.decode(str(function.get("arguments") or ""))
            except msgspec.DecodeError:
                return "the arguments of its tool call are not JSON"
            if function.get("name") != "get_weather" or not isinstance(given, dict) or "place" not in given:
                return "its tool call does not follow the tool's schema"
        return None

    return complaint


def _shortened(text: str) -> str:
    return repr(text[:60] + ("…" if len(text) > 60 else ""))


def _red_square(side: int = 64) -> str:
    """Return a red PNG as a data URL; format: www.w3.org/TR/png."""
    rows = (b"\0" + b"\xff\0\0" * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()
