"""Writes a conversation as the body of Anthropic's Messages API."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from serving.dispatch.adapter import cannot
from serving.dispatch.anthropic_schema import supported
from serving.dispatch.conversation import (
    Conversation,
    Media,
    Part,
    Text,
    Thought,
    Tool,
    ToolResult,
    ToolUse,
    Turn,
)
from serving.dispatch.signatures import Signatures
from serving.routing.catalog import Deployment

# `max_tokens` is required there; where neither caller nor catalog gives a limit:
_MAX_TOKENS = 8_192
# The tool that a plain JSON object is asked for with: there is no JSON mode without a schema
# (platform.claude.com/docs/en/build-with-claude/structured-outputs).
JSON_TOOL = "json_answer"
# Effort in OpenAI's words → in Anthropic's (platform.claude.com/docs/en/build-with-claude/effort).
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
# Effort → tokens to think with, on models that take a budget, at least 1,024
# (platform.claude.com/docs/en/build-with-claude/extended-thinking).
_BUDGETS = {
    "minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 24_576, "xhigh": 32_768, "max": 49_152,
}  # fmt: skip
_LEAST_BUDGET = 1_024
_ID = re.compile(r"[^a-zA-Z0-9_-]")


def body(deployment: Deployment, asked: Conversation, signatures: Signatures) -> dict[str, Any]:
    """Return the body; raise ProviderError for what the API cannot do."""
    _refuse_impossible(asked)
    tools = asked.tools or _tools_in_history(asked.turns)
    written: dict[str, Any] = {
        "model": deployment.model,
        "max_tokens": asked.max_tokens or deployment.max_output_tokens or _MAX_TOKENS,
        "messages": [_turn(turn, signatures) for turn in asked.turns],
    }
    if asked.system:
        written["system"] = [_text(part) for part in asked.system]
    if asked.stop:
        written["stop_sequences"] = list(asked.stop)
    if asked.user:
        written["metadata"] = {"user_id": asked.user}
    if tools:
        written["tools"] = [_tool(tool) for tool in tools]
        choice = _tool_choice(asked)
        if choice is not None:
            written["tool_choice"] = choice
    _write_format(written, asked)
    _write_thinking(written, deployment, asked)
    return written


def _refuse_impossible(asked: Conversation) -> None:
    if asked.answers != 1:
        raise cannot("n", "Anthropic gives one answer. Leave n out, or name another deployment.")
    if asked.logprobs:
        raise cannot("logprobs", "Anthropic tells no probabilities. Leave logprobs out.")
    if any(not sequence.strip() for sequence in asked.stop):
        raise cannot("stop", "Anthropic takes no stop sequence of white space only.")
    if asked.format is not None and asked.format.kind == "json_object" and asked.tools:
        raise cannot(
            "response_format", "Anthropic has no JSON mode beside tools. Use json_schema, or leave tools out."
        )


def _turn(turn: Turn, signatures: Signatures) -> dict[str, Any]:
    parts: Iterable[Part] = turn.parts
    if turn.role == "user":
        # results must open the turn that follows the calls
        # (platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls)
        parts = sorted(parts, key=lambda part: not isinstance(part, ToolResult))
    else:
        parts = _with_remembered(turn.parts, signatures)
    return {"role": turn.role, "content": [_part(part) for part in parts]}


def _with_remembered(parts: tuple[Part, ...], signatures: Signatures) -> Iterable[Part]:
    """Put the thinking blocks before the calls they led to, where the caller's SDK has dropped them."""
    if any(isinstance(part, Thought) for part in parts):
        return parts
    first = next((part for part in parts if isinstance(part, ToolUse)), None)
    blocks = signatures.of(first.id) if first is not None else None
    return (*(Thought(block) for block in blocks or ()), *parts)


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return _text(part)
    if isinstance(part, Media):
        return _media(part)
    if isinstance(part, Thought):
        return dict(part.block)
    if isinstance(part, ToolUse):
        return {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": dict(part.arguments)}
    return {
        "type": "tool_result",
        "tool_use_id": _id(part.id),
        "content": [_part(inner) for inner in part.parts],
    }


def _text(part: Text) -> dict[str, Any]:
    return _cached({"type": "text", "text": part.text}, part.cache)


def _media(part: Media) -> dict[str, Any]:
    if part.kind == "audio":
        raise cannot("messages", "Anthropic takes no audio.")
    kind = "image" if part.kind == "image" else "document"
    if part.url is not None:
        source = {"type": "url", "url": part.url}
    else:
        source = {"type": "base64", "media_type": part.media_type or "", "data": part.data or ""}
    block: dict[str, Any] = {"type": kind, "source": source}
    if part.name:
        block["title"] = part.name
    return _cached(block, part.cache)


def _cached(block: dict[str, Any], cache: Any) -> dict[str, Any]:
    return block | {"cache_control": cache} if cache else block


def _id(found: str) -> str:
    """Return an id as the API accepts it; other providers' ids may hold dots and colons."""
    return _ID.sub("_", found) or "call"


def _tools_in_history(turns: tuple[Turn, ...]) -> tuple[Tool, ...]:
    """Return the tools that were called before: a history of calls without any tool is refused there."""
    names = {part.name for turn in turns for part in turn.parts if isinstance(part, ToolUse)}
    return tuple(Tool(name, None, {"type": "object"}) for name in sorted(names))


def _tool(tool: Tool) -> dict[str, Any]:
    schema = supported(tool.schema) if tool.strict else {"type": "object"} | dict(tool.schema)
    written: dict[str, Any] = {"name": tool.name, "input_schema": schema}
    if tool.description:
        written["description"] = tool.description
    if tool.strict:
        written["strict"] = True
    return _cached(written, tool.cache)


def _tool_choice(asked: Conversation) -> dict[str, Any] | None:
    given = asked.tool_choice
    if not asked.tools or given == "none":
        return {"type": "none"}
    alone = {"disable_parallel_tool_use": True} if asked.parallel_tools is False else {}
    if given is not None and given.startswith("named:"):
        return {"type": "tool", "name": given.removeprefix("named:")} | alone
    if given == "required":
        return {"type": "any"} | alone
    return {"type": "auto"} | alone if given or alone else None


def _write_format(written: dict[str, Any], asked: Conversation) -> None:
    """Ask for a form of the answer: by schema natively, for any JSON object by a tool that must be called."""
    if asked.format is None:
        return
    if asked.format.kind == "json_schema":
        schema = supported(asked.format.schema)
        written["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return
    tool = {"name": JSON_TOOL, "description": "Give the answer.", "input_schema": {"type": "object"}}
    written["tools"] = [*written.get("tools", ()), tool]
    written["tool_choice"] = {"type": "tool", "name": JSON_TOOL, "disable_parallel_tool_use": True}


def _write_thinking(written: dict[str, Any], deployment: Deployment, asked: Conversation) -> None:
    """Write how hard to think, and what may stand beside that.

    Models since Opus 4.7 take an effort and refuse temperature and top_p; those before take a budget, and
    sampling while they do not think (platform.claude.com/docs/en/about-claude/models/migration-guide).
    """
    # a call that must be made rules thinking out
    # (platform.claude.com/docs/en/build-with-claude/extended-thinking, tool use)
    forced = written.get("tool_choice", {}).get("type") in ("any", "tool")
    if deployment.dialect == "anthropic_budget":
        limit = asked.max_tokens or deployment.max_output_tokens
        _write_budget(written, asked, limit, forced=forced)
        return
    if asked.thinking is not None and not forced:
        written["thinking"] = dict(asked.thinking)
    elif asked.effort == "none":
        written["thinking"] = {"type": "disabled"}
    elif asked.effort is not None and not forced:
        written["thinking"] = {"type": "adaptive"}
    if asked.effort in _EFFORTS:
        written.setdefault("output_config", {})["effort"] = _EFFORTS[asked.effort]


def _write_budget(written: dict[str, Any], asked: Conversation, limit: int | None, *, forced: bool) -> None:
    budget = _budget_within(limit, _BUDGETS.get(asked.effort or ""))
    if asked.thinking is not None and not forced:
        written["thinking"] = dict(asked.thinking)
    elif budget is not None and not forced and not _lost_its_thoughts(written["messages"]):
        written["thinking"] = {"type": "enabled", "budget_tokens": budget}
        if limit is None:
            written["max_tokens"] = max(written["max_tokens"], budget + _LEAST_BUDGET)
    if written.get("thinking", {}).get("type", "disabled") != "disabled":
        return
    if asked.temperature is not None:
        # 0 to 1 there, 0 to 2 at OpenAI
        written["temperature"] = min(max(asked.temperature, 0.0), 1.0)
    if asked.top_p is not None and asked.temperature is None:
        # one of the two, never both (migration guide, Claude 4)
        written["top_p"] = asked.top_p
    if asked.top_k is not None:
        written["top_k"] = asked.top_k


def _budget_within(limit: int | None, budget: int | None) -> int | None:
    """Return how many tokens to think for within a limit, which holds for thoughts and answer together.

    There must be room for the answer as well; where there is none for the least budget, it is given at once.

    >>> _budget_within(None, 8192), _budget_within(5000, 8192), _budget_within(100, 8192)
    (8192, 3976, None)
    """
    if budget is None or limit is None:
        return budget
    room = limit - _LEAST_BUDGET
    return min(budget, room) if room >= _LEAST_BUDGET else None


def _lost_its_thoughts(messages: list[dict[str, Any]]) -> bool:
    """Tell whether the model is in the middle of its calls without the thoughts that led to them."""
    if len(messages) < 2 or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    kinds = {block["type"] for block in messages[-2]["content"]}
    return "tool_use" in kinds and not kinds & {"thinking", "redacted_thinking"}
