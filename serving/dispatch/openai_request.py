"""Reads the canonical request out of an OpenAI chat completion body.

The body has passed the checks of the endpoint; what is still wrong here is refused as the caller's own error.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from serving.dispatch.adapter import ProviderError, cannot
from serving.dispatch.conversation import (
    Conversation,
    Format,
    Media,
    Part,
    Text,
    Thought,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
)

# Fields without a word for them elsewhere, and the values that ask for nothing.
_ONLY_OPENAI: dict[str, tuple[Any, ...]] = {
    "logit_bias": (None, {}),
    "modalities": (None, [], ["text"]),
    "audio": (None,),
    "web_search_options": (None,),
    "functions": (None, []),
}
# A conversation must begin with the user: these providers refuse one that does not.
_OPENING = Turn("user", (Text("."),))


def refused(param: str, message: str) -> ProviderError:
    """Return the error for a field that is the caller's own fault."""
    return ProviderError(
        "invalid_request", f"{param}: {message}", status=400, retryable=False, body={"param": param}
    )


def read(body: dict[str, Any]) -> Conversation:
    """Return what the body asks; raise ProviderError that names the field where it cannot be read."""
    system, turns = _turns(body.get("messages") or [])
    stop = body.get("stop") or ()
    return Conversation(
        system=system,
        turns=turns,
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body.get("tool_choice")),
        parallel_tools=body.get("parallel_tool_calls"),
        format=_format(body.get("response_format")),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        top_k=body.get("top_k"),
        seed=body.get("seed"),
        presence_penalty=_number(body, "presence_penalty"),
        frequency_penalty=_number(body, "frequency_penalty"),
        effort=_effort(body),
        thinking=body.get("thinking") if isinstance(body.get("thinking"), dict) else None,
        answers=body.get("n") or 1,
        logprobs=bool(body.get("logprobs")),
        top_logprobs=body.get("top_logprobs"),
        user=body.get("safety_identifier") or body.get("user"),
        others=tuple(name for name, harmless in _ONLY_OPENAI.items() if body.get(name) not in harmless),
    )


def _turns(messages: list[dict[str, Any]]) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """Return the system's words and the turns, alternating, the user's first."""
    system: list[Text] = []
    spoken: list[tuple[Literal["user", "assistant"], list[Part]]] = []
    names: dict[str, str] = {}
    for place, message in enumerate(messages):
        path = f"messages[{place}]"
        role = message.get("role")
        if role in ("system", "developer"):
            system += [part for part in _parts(message.get("content"), path) if isinstance(part, Text)]
            continue
        side: Literal["user", "assistant"] = "assistant" if role == "assistant" else "user"
        parts = list(_said(message, path, names))
        if parts and spoken and spoken[-1][0] == side:
            spoken[-1][1].extend(parts)
        elif parts:
            spoken.append((side, parts))
    turns = [Turn(side, tuple(parts)) for side, parts in spoken]
    if not turns:
        # words for the system alone are the user's, since somebody must speak
        return (), (Turn("user", tuple(system) or _OPENING.parts),)
    if turns[0].role == "assistant":
        turns.insert(0, _OPENING)
    return tuple(system), tuple(turns)


def _said(message: dict[str, Any], path: str, names: dict[str, str]) -> Iterator[Part]:
    """Yield the parts of one message; remember the names of the tools that were called."""
    role = message.get("role")
    if role in ("tool", "function"):
        found = str(message.get("tool_call_id") or message.get("name") or "")
        name = str(message.get("name") or names.get(found) or found)
        yield ToolResult(found, name, tuple(_parts(message.get("content"), path)))
        return
    if role == "assistant":
        for block in message.get("thinking_blocks") or ():
            if isinstance(block, dict):
                yield Thought(block)
    yield from _parts(message.get("content"), path)
    if message.get("refusal"):
        yield Text(str(message["refusal"]))
    for index, call in enumerate(message.get("tool_calls") or ()):
        use = _tool_use(call, f"{path}.tool_calls[{index}]")
        names[use.id] = use.name
        yield use


def _tool_use(call: Any, path: str) -> ToolUse:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise refused(f"{path}.function", "a tool call must name a function.")
    given = function.get("arguments") or "{}"
    try:
        arguments = msgspec.json.decode(given) if isinstance(given, str) else given
    except msgspec.DecodeError:
        raise refused(f"{path}.function.arguments", "must be a JSON object as a string.") from None
    if not isinstance(arguments, dict):
        raise refused(f"{path}.function.arguments", "must be a JSON object as a string.")
    # where Google's own OpenAI endpoint puts it: ai.google.dev/gemini-api/docs/thought-signatures
    google = ((call.get("extra_content") or {}).get("google")) or {}
    signature = google.get("thought_signature")
    return ToolUse(str(call.get("id") or ""), str(function.get("name") or ""), arguments, signature)


def _parts(content: Any, path: str) -> Iterator[Text | Media]:
    """Yield the parts of a content that hold something; empty text is refused by the providers."""
    if isinstance(content, str):
        if content:
            yield Text(content)
        return
    for index, part in enumerate(content or ()):
        found = _part(part, f"{path}.content[{index}]")
        if found is not None:
            yield found


def _part(part: dict[str, Any], path: str) -> Text | Media | None:
    cache = part.get("cache_control")
    kind = part.get("type")
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        return _addressed("image", str(url), path, cache)
    if kind == "input_audio":
        sound = part.get("input_audio") or {}
        return Media("audio", media_type=f"audio/{sound.get('format')}", data=sound.get("data"), cache=cache)
    if kind == "file":
        return _file(part.get("file") or {}, path, cache)
    text = part.get("text") or part.get("refusal")
    return Text(str(text), cache) if text else None


def _file(file: dict[str, Any], path: str, cache: Any) -> Media:
    if not file.get("file_data"):
        raise cannot(f"{path}.file.file_data", "this provider needs the file's own data, not an id.")
    data = str(file["file_data"])
    if not data.startswith("data:"):
        data = f"data:application/pdf;base64,{data}"
    found = _addressed("file", data, path, cache)
    return Media("file", None, found.media_type, found.data, file.get("filename"), cache)


def _addressed(kind: Literal["image", "file"], url: str, path: str, cache: Any) -> Media:
    """Return what a URL points at, or holds itself where it is a `data:` URL. Nothing is fetched."""
    if not url.startswith("data:"):
        guessed, _ = mimetypes.guess_type(urlsplit(url).path)
        return Media(kind, url=url, media_type=guessed, cache=cache)
    head, comma, data = url[len("data:") :].partition(",")
    media_type, *options = head.split(";")
    if not comma or "base64" not in options or not media_type:
        raise refused(path, "a data: URL must read data:<type>;base64,<data>.")
    return Media(kind, media_type=media_type, data=data, cache=cache)


def _tools(body: dict[str, Any]) -> Iterator[Tool]:
    for place, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if tool.get("type", "function") != "function":
            raise cannot(f"tools[{place}]", "this provider has tools of type 'function' alone.")
        if not isinstance(function, dict):
            raise refused(f"tools[{place}].function", "must be an object that describes the function.")
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        yield Tool(
            str(function.get("name") or ""),
            function.get("description"),
            schema,
            bool(function.get("strict")),
            tool.get("cache_control") or function.get("cache_control"),
        )


def _tool_choice(given: Any) -> str | None:
    if given is None or given in ("auto", "none", "required"):
        return given  # type: ignore[no-any-return]
    function = given.get("function") if isinstance(given, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(given, dict) and given.get("type") in ("allowed_tools", "custom"):
        raise cannot("tool_choice", f"this provider has no choice of type {given['type']!r}.")
    if not name:
        raise refused("tool_choice", "must be auto, none, required, or name a function.")
    return f"named:{name}"


def _format(given: Any) -> Format | None:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind in (None, "text"):
        return None
    if kind == "json_object":
        return Format("json_object")
    described = given.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if kind != "json_schema" or not isinstance(schema, dict):
        raise refused("response_format", "must be text, json_object, or json_schema with a schema.")
    return Format("json_schema", str(described.get("name") or "answer"), schema)


def _number(body: dict[str, Any], name: str) -> float | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(name, "must be a number.")
    return float(value)


def _effort(body: dict[str, Any]) -> str | None:
    effort = body.get("reasoning_effort")
    if effort is None and isinstance(body.get("reasoning"), dict):
        effort = body["reasoning"].get("effort")
    return None if effort is None else str(effort)


def texts(parts: Iterable[Part]) -> str:
    """Return the words among parts, one paragraph each."""
    return "\n\n".join(part.text for part in parts if isinstance(part, Text))
