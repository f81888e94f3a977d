"""From a Responses request to the chat completion that says the same; what cannot be said is refused.

Source: platform.openai.com/docs/api-reference/responses, and the types of `openai` 3.57 (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from serving.api.openai_responses.bodies import Format, Item, Piece, ResponsesBody
from serving.errors import InvalidRequest

_STATEFUL = ("store", "background", "previous_response_id", "conversation", "prompt")
_SAME_NAME = (
    "parallel_tool_calls",
    "stream",
    "temperature",
    "top_p",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "user",
)
_LOGPROBS = "message.output_text.logprobs"
_TOOL_FIELDS = frozenset({"type", "name", "description", "parameters", "strict"})
_TEXTS = ("input_text", "output_text", "text")


def chat_of(body: ResponsesBody) -> dict[str, Any]:
    """Return the chat completion request; raise InvalidRequest that names what cannot be translated."""
    for name in _STATEFUL:
        if getattr(body, name):
            raise InvalidRequest(
                f"{name}: nothing is kept here between requests. Leave it out and send the earlier turns as "
                "items of input.",
                param=name,
            )
    _refuse_what_is_not_done(body)
    chat: dict[str, Any] = {"model": body.model, "messages": list(_messages(body))}
    chat |= {name: value for name in _SAME_NAME if (value := getattr(body, name)) is not None}
    if body.max_output_tokens is not None:
        chat["max_completion_tokens"] = body.max_output_tokens
    if body.reasoning is not None and body.reasoning.effort is not None:
        chat["reasoning_effort"] = body.reasoning.effort
    if body.text is not None and body.text.verbosity is not None:
        chat["verbosity"] = body.text.verbosity
    if body.text is not None and body.text.format is not None and body.text.format.type != "text":
        chat["response_format"] = _response_format(body.text.format)
    if body.tools:
        chat["tools"] = [_tool(tool, f"tools[{place}]") for place, tool in enumerate(body.tools)]
        if body.tool_choice is not None:
            chat["tool_choice"] = _tool_choice(body.tool_choice)
    if body.weighbridge is not None:
        chat["weighbridge"] = msgspec.to_builtins(body.weighbridge)
    return chat


def _response_format(wanted: Format) -> dict[str, Any]:
    if wanted.type == "json_object":
        return {"type": "json_object"}
    if wanted.schema is None or not wanted.name:
        raise InvalidRequest("text.format: a json_schema needs name and schema.", param="text.format")
    named: dict[str, Any] = {"name": wanted.name, "schema": wanted.schema}
    for name in ("strict", "description"):
        if (value := getattr(wanted, name)) is not None:
            named[name] = value
    return {"type": "json_schema", "json_schema": named}


def _refuse_what_is_not_done(body: ResponsesBody) -> None:
    if body.truncation == "auto":
        raise InvalidRequest(
            "truncation: nothing is cut out of a conversation here. Leave it out, and send what fits.",
            param="truncation",
        )
    for name, asked in (("top_logprobs", body.top_logprobs), ("include", _LOGPROBS in (body.include or ()))):
        if asked:
            raise InvalidRequest(
                f"{name}: probabilities are given by /v1/chat/completions alone. Leave it out.", param=name
            )


def _tool(tool: dict[str, Any], path: str) -> dict[str, Any]:
    if tool.get("type") != "function" or not isinstance(tool.get("name"), str):
        kind = str(tool.get("type"))[:40]
        raise InvalidRequest(
            f"{path}: only functions with a name can be routed; {kind!r} runs at OpenAI.", param=path
        )
    strange = [name for name in sorted(tool) if name not in _TOOL_FIELDS and tool[name]]
    if strange:
        raise InvalidRequest(f"{path}.{strange[0]}: cannot be routed. Leave it out.", param=path)
    function = {name: tool[name] for name in sorted(_TOOL_FIELDS - {"type"}) if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _tool_choice(choice: str | dict[str, Any]) -> Any:
    if isinstance(choice, str) and choice in ("auto", "none", "required"):
        return choice
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name"):
        return {"type": "function", "function": {"name": choice["name"]}}
    raise InvalidRequest(
        "tool_choice: must be auto, none, required, or a function with its name.", param="tool_choice"
    )


def _messages(body: ResponsesBody) -> Iterator[dict[str, Any]]:
    if body.instructions:
        yield {"role": "system", "content": body.instructions}
    if isinstance(body.input, str):
        yield {"role": "user", "content": body.input}
        return
    saying: dict[str, Any] | None = None
    for place, item in enumerate(body.input):
        path = f"input[{place}]"
        if item.type == "reasoning":
            continue
        # what the assistant said and the tools it called are one message of a chat
        if item.type == "function_call":
            saying = saying or {"role": "assistant", "content": None}
            saying.setdefault("tool_calls", []).append(_tool_call(item, path))
            continue
        if saying is not None:
            yield saying
        message = _message(item, path)
        saying = message if message["role"] == "assistant" else None
        if saying is None:
            yield message
    if saying is not None:
        yield saying


def _tool_call(item: Item, path: str) -> dict[str, Any]:
    if not item.call_id or not item.name:
        raise InvalidRequest(f"{path}: a function_call needs call_id, name and arguments.", param=path)
    function = {"name": item.name, "arguments": item.arguments or "{}"}
    return {"id": item.call_id, "type": "function", "function": function}


def _message(item: Item, path: str) -> dict[str, Any]:
    if item.type == "function_call_output":
        if not item.call_id or item.output is None:
            raise InvalidRequest(f"{path}: a function_call_output needs call_id and output.", param=path)
        return {"role": "tool", "tool_call_id": item.call_id, "content": _text(item.output, f"{path}.output")}
    if item.type != "message" or item.role is None or item.content is None:
        known = "message, function_call, function_call_output, reasoning"
        raise InvalidRequest(
            f"{path}: must be a message with role and content, or one of: {known}.", param=path
        )
    if item.role != "user" or isinstance(item.content, str):
        return {"role": item.role, "content": _text(item.content, f"{path}.content")}
    parts = [_part(piece, f"{path}.content[{place}]") for place, piece in enumerate(item.content)]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return {"role": "user", "content": parts[0]["text"]}
    return {"role": "user", "content": parts}


def _text(content: str | Sequence[Piece], path: str) -> str:
    if isinstance(content, str):
        return content
    texts = [piece.text if piece.type in _TEXTS else piece.refusal for piece in content]
    if None in texts:
        raise InvalidRequest(f"{path}: only text can be sent here.", param=path)
    return "".join(text for text in texts if text is not None)


def _part(piece: Piece, path: str) -> dict[str, Any]:
    if piece.type in _TEXTS and piece.text is not None:
        return {"type": "text", "text": piece.text}
    if piece.type == "input_image" and piece.image_url:
        image = {"url": piece.image_url} | ({"detail": piece.detail} if piece.detail else {})
        return {"type": "image_url", "image_url": image}
    if piece.type == "input_file" and piece.file_data:
        file = {"filename": piece.filename or "file", "file_data": piece.file_data}
        return {"type": "file", "file": file}
    raise InvalidRequest(
        f"{path}: send text as input_text, images as input_image with image_url, files as input_file with "
        "file_data; ids of files kept at OpenAI mean nothing elsewhere.",
        param=path,
    )
