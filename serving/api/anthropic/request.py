"""From Anthropic's request to the chat completion that says the same; what cannot be said is refused.

Source: platform.claude.com/docs/en/api/messages, and the types of `anthropic` 2.10 (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from serving.api.anthropic.bodies import Block, CountBody, MessagesBody, Tool, ToolChoice, Turn
from serving.errors import InvalidRequest

# A budget of thinking, in tokens, up to which an effort is meant; above the last it is `high`.
_EFFORT_UP_TO = ((2_048, "low"), (10_000, "medium"))
_EFFORTS = {"max": "xhigh"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def chat_of(body: CountBody) -> dict[str, Any]:
    """Return the chat completion request; raise InvalidRequest that names what cannot be translated."""
    _refuse_what_runs_elsewhere(body)
    chat: dict[str, Any] = {"model": body.model, "messages": list(_messages(body))}
    if body.tools:
        chat["tools"] = [_tool(tool, f"tools[{place}]") for place, tool in enumerate(body.tools)]
    if body.tool_choice is not None and body.tools:
        chat |= _tool_choice(body.tool_choice)
    wanted = (body.output_config.format if body.output_config else None) or body.output_format
    if wanted is not None:
        named = {"name": "answer", "schema": wanted.schema, "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": named}
    if effort := _effort(body):
        chat["reasoning_effort"] = effort
    if body.weighbridge is not None:
        chat["weighbridge"] = msgspec.to_builtins(body.weighbridge)
    return chat | (_sampling(body) if isinstance(body, MessagesBody) else {})


def _sampling(body: MessagesBody) -> dict[str, Any]:
    found = {
        "max_completion_tokens": body.max_tokens,
        "stop": body.stop_sequences or None,
        "stream": body.stream or None,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
        "user": body.metadata.user_id if body.metadata else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _refuse_what_runs_elsewhere(body: CountBody) -> None:
    for name in ("mcp_servers", "container"):
        if getattr(body, name):
            raise InvalidRequest(
                f"{name}: runs at Anthropic and cannot be routed. Leave it out, or call Anthropic directly.",
                param=name,
            )
    if body.inference_geo:
        raise InvalidRequest(
            f"inference_geo: where a request may go is asked for as a compliance tag. Leave it out, and send "
            f"the header x-weighbridge-compliance: {body.inference_geo[:40]}.",
            param="inference_geo",
        )


def _effort(body: CountBody) -> str | None:
    if body.output_config and body.output_config.effort:
        return _EFFORTS.get(body.output_config.effort, body.output_config.effort)
    if body.thinking is None or body.thinking.type != "enabled":
        return None
    budget = body.thinking.budget_tokens or 0
    return next((effort for most, effort in _EFFORT_UP_TO if budget <= most), "high")


def _tool(tool: Tool, path: str) -> dict[str, Any]:
    if tool.type not in (None, "custom") or tool.input_schema is None:
        raise InvalidRequest(
            f"{path}: only tools with a name and an input_schema of their own can be routed; "
            f"{tool.type or tool.name!r} is not one.",
            param=path,
        )
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.input_schema}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function} | _cached(tool)


def _cached(what: Block | Tool) -> dict[str, Any]:
    """Keep the mark of a prompt cache; adapters whose provider has none leave it out."""
    return {} if what.cache_control is None else {"cache_control": what.cache_control}


def _tool_choice(choice: ToolChoice) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if choice.type == "tool":
        if not choice.name:
            raise InvalidRequest("tool_choice.name: names the tool to call.", param="tool_choice.name")
        found["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    else:
        found["tool_choice"] = _CHOICES[choice.type]
    if choice.disable_parallel_tool_use:
        found["parallel_tool_calls"] = False
    return found


def _messages(body: CountBody) -> Iterator[dict[str, Any]]:
    if body.system:
        yield {"role": "system", "content": _system_text(body.system, "system")}
    for place, turn in enumerate(body.messages):
        path = f"messages[{place}].content"
        if turn.role == "system":
            yield {"role": "system", "content": _system_text(turn.content, path)}
        elif turn.role == "assistant":
            yield _assistant(turn, path)
        else:
            yield from _user(turn, path)


def _system_text(content: str | Sequence[Block], path: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = [_part(block, f"{path}[{place}]", only="text") for place, block in enumerate(content)]
    if any("cache_control" in part for part in parts):
        return parts
    return "\n\n".join(part["text"] for part in parts)


def _assistant(turn: Turn, path: str) -> dict[str, Any]:
    if isinstance(turn.content, str):
        return {"role": "assistant", "content": turn.content}
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[dict[str, Any]] = []
    for place, block in enumerate(turn.content):
        if block.type == "tool_use":
            calls.append(_tool_call(block, f"{path}[{place}]"))
        elif block.type == "redacted_thinking" and block.data:
            thoughts.append({"type": block.type, "data": block.data})
        elif block.type == "thinking" and block.signature:
            thoughts.append(
                {"type": block.type, "thinking": block.thinking or "", "signature": block.signature}
            )
        elif block.type != "thinking":
            texts.append(_part(block, f"{path}[{place}]", only="text")["text"])
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    if thoughts:
        message["thinking_blocks"] = thoughts
    if calls:
        message["tool_calls"] = calls
    elif message["content"] is None:
        message["content"] = ""
    return message


def _tool_call(block: Block, path: str) -> dict[str, Any]:
    if not block.id or not block.name:
        raise InvalidRequest(f"{path}: a tool_use block needs id and name.", param=path)
    arguments = msgspec.json.encode({} if block.input is None else block.input).decode()
    return {"id": block.id, "type": "function", "function": {"name": block.name, "arguments": arguments}}


def _user(turn: Turn, path: str) -> Iterator[dict[str, Any]]:
    """Yield the results of tools first, as OpenAI wants them, then what the user says."""
    if isinstance(turn.content, str):
        yield {"role": "user", "content": turn.content}
        return
    parts: list[dict[str, Any]] = []
    for place, block in enumerate(turn.content):
        where = f"{path}[{place}]"
        if block.type != "tool_result":
            parts.append(_part(block, where))
            continue
        text, images = _tool_result(block, where)
        yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": text}
        parts += images
    if parts:
        is_text = len(parts) == 1 and set(parts[0]) == {"type", "text"}
        yield {"role": "user", "content": parts[0]["text"] if is_text else parts}


def _tool_result(block: Block, path: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of a result, and its images, which OpenAI only takes from the user."""
    if not block.tool_use_id:
        raise InvalidRequest(f"{path}.tool_use_id: names the call that this answers.", param=path)
    inner = block.content or []
    if isinstance(inner, str):
        texts, images = [inner], []
    else:
        parts = [_part(one, f"{path}.content[{place}]") for place, one in enumerate(inner)]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        images = [part for part in parts if part["type"] != "text"]
    text = "\n".join(texts)
    # OpenAI has no field that says so, and the model must know
    return (f"Error: {text}" if block.is_error else text), images


def _part(block: Block, path: str, only: str | None = None) -> dict[str, Any]:
    if block.type == "text" and block.text is not None:
        return {"type": "text", "text": block.text} | _cached(block)
    if only is None and block.type == "image":
        return {"type": "image_url", "image_url": {"url": _url(block, path)}} | _cached(block)
    if only is None and block.type == "document":
        return _document(block, path) | _cached(block)
    known = only or "text, image, document, tool_result"
    raise InvalidRequest(
        f"{path}: a block of type {block.type!r} cannot be sent here. Known: {known}.", param=path
    )


def _document(block: Block, path: str) -> dict[str, Any]:
    if isinstance(block.citations, dict) and block.citations.get("enabled"):
        raise InvalidRequest(
            f"{path}.citations: citations are not given here. Leave them out.", param=f"{path}.citations"
        )
    source = block.source if isinstance(block.source, dict) else {}
    if source.get("type") == "text" and isinstance(source.get("data"), str):
        return {"type": "text", "text": source["data"]}
    if source.get("type") != "base64":
        raise InvalidRequest(
            f"{path}.source: send a document as base64 or text; an address is not fetched here.", param=path
        )
    file = {"filename": block.title or "document.pdf", "file_data": _url(block, path)}
    return {"type": "file", "file": file}


def _url(block: Block, path: str) -> str:
    source = block.source if isinstance(block.source, dict) else {}
    kind, data, media_type = source.get("type"), source.get("data"), source.get("media_type")
    if kind == "url" and isinstance(source.get("url"), str):
        return str(source["url"])
    if kind == "base64" and isinstance(data, str) and isinstance(media_type, str):
        return f"data:{media_type};base64,{data}"
    raise InvalidRequest(
        f"{path}.source: needs type 'base64' with media_type and data, or type 'url' with url.", param=path
    )
