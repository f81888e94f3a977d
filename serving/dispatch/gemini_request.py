"""Writes a conversation as the body of Gemini's generateContent."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.dispatch.adapter import cannot
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
from serving.dispatch.openai_request import texts
from serving.dispatch.signatures import Signatures
from serving.routing.catalog import Deployment

# ai.google.dev/api/generate-content#generationconfig
_MOST_STOPS = 5
# Gemini 3 and later, where thinking cannot be turned off (ai.google.dev/gemini-api/docs/thinking, "levels").
_LEVELS = {
    "none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high",
    "xhigh": "high", "max": "high",
}  # fmt: skip
# Gemini 2.5, as its own OpenAI endpoint reads an effort (ai.google.dev/gemini-api/docs/openai#thinking).
_BUDGETS = {
    "none": 0, "minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576, "xhigh": 24_576,
    "max": 24_576,
}  # fmt: skip
# Accepted in place of a signature that is lost
# (ai.google.dev/gemini-api/docs/thought-signatures, "migrating from other models").
_NO_SIGNATURE = "skip_thought_signature_validator"


def body(deployment: Deployment, asked: Conversation, signatures: Signatures) -> dict[str, Any]:
    """Return the body; raise ProviderError for what the API cannot do."""
    if len(asked.stop) > _MOST_STOPS:
        raise cannot("stop", f"Gemini takes at most {_MOST_STOPS} stop sequences.")
    validates = deployment.dialect != "gemini_budget"
    written: dict[str, Any] = {"contents": [_turn(turn, signatures, validates) for turn in asked.turns]}
    if asked.system:
        written["systemInstruction"] = {"parts": [{"text": part.text} for part in asked.system]}
    if asked.tools:
        written["tools"] = [{"functionDeclarations": [_tool(tool) for tool in asked.tools]}]
        config = _tool_config(asked)
        if config is not None:
            written["toolConfig"] = {"functionCallingConfig": config}
    generation = _generation(asked) | _thinking(deployment, asked)
    if generation:
        written["generationConfig"] = generation
    return written


def _turn(turn: Turn, signatures: Signatures, validates: bool) -> dict[str, Any]:
    role = "user" if turn.role == "user" else "model"
    parts: list[dict[str, Any]] = []
    # only the first call of a step must carry a signature (thought-signatures, "parallel function calls")
    needs = validates
    for part in turn.parts:
        if isinstance(part, Thought):
            # another provider's: its words mean nothing here
            continue
        if isinstance(part, ToolUse):
            parts.append(_call(part, signatures, needs))
            needs = False
        else:
            parts.append(_part(part))
    return {"role": role, "parts": parts or [{"text": "."}]}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Media):
        return _media(part)
    assert isinstance(part, ToolResult)
    return {"functionResponse": _result(part)}


def _call(part: ToolUse, signatures: Signatures, needs: bool) -> dict[str, Any]:
    call = {"name": part.name, "args": dict(part.arguments)} | ({"id": part.id} if part.id else {})
    signature = part.signature or signatures.of(part.id) or (_NO_SIGNATURE if needs else None)
    return {"functionCall": call} | ({"thoughtSignature": signature} if signature else {})


def _result(part: ToolResult) -> dict[str, Any]:
    """Return a result as an object, which the API wants: an object as it is, anything else in `result`."""
    said = texts(part.parts)
    try:
        found = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    response = found if isinstance(found, dict) else {"result": said}
    written: dict[str, Any] = {"name": part.name, "response": response}
    if part.id:
        written["id"] = part.id
    media = [_media(inner) for inner in part.parts if isinstance(inner, Media)]
    return written | ({"parts": media} if media else {})


def _media(part: Media) -> dict[str, Any]:
    if part.url is None:
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    # ai.google.dev/gemini-api/docs/file-input-methods: public addresses are fetched by Google
    return {"fileData": {"fileUri": part.url} | ({"mimeType": part.media_type} if part.media_type else {})}


def _tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.schema.get("properties") or tool.schema.get("$ref"):
        written["parametersJsonSchema"] = dict(tool.schema)
    return written


def _tool_config(asked: Conversation) -> dict[str, Any] | None:
    """Return how tools may be called (ai.google.dev/gemini-api/docs/function-calling, "modes")."""
    given = asked.tool_choice
    if asked.parallel_tools is False and given != "none":
        raise cannot("parallel_tool_calls", "Gemini cannot be kept from calling several tools at once.")
    if given is None:
        return {"mode": "VALIDATED"} if any(tool.strict for tool in asked.tools) else None
    if given.startswith("named:"):
        return {"mode": "ANY", "allowedFunctionNames": [given.removeprefix("named:")]}
    strict = any(tool.strict for tool in asked.tools)
    return {"mode": {"auto": "VALIDATED" if strict else "AUTO", "none": "NONE", "required": "ANY"}[given]}


def _generation(asked: Conversation) -> dict[str, Any]:
    written: dict[str, Any] = {
        "maxOutputTokens": asked.max_tokens,
        "temperature": asked.temperature,
        "topP": asked.top_p,
        "topK": asked.top_k,
        "seed": asked.seed,
        "presencePenalty": asked.presence_penalty,
        "frequencyPenalty": asked.frequency_penalty,
        "stopSequences": list(asked.stop) or None,
        "candidateCount": asked.answers if asked.answers != 1 else None,
        "responseLogprobs": asked.logprobs or None,
        "logprobs": asked.top_logprobs if asked.logprobs else None,
    }
    if asked.format is not None:
        written["responseMimeType"] = "application/json"
        if asked.format.kind == "json_schema":
            written["responseJsonSchema"] = dict(asked.format.schema)
    return {name: value for name, value in written.items() if value is not None}


def _thinking(deployment: Deployment, asked: Conversation) -> dict[str, Any]:
    if asked.effort is None:
        return {}
    if deployment.dialect == "gemini_budget":
        budget = _BUDGETS.get(asked.effort)
        found: dict[str, Any] = (
            {} if budget is None else {"thinkingBudget": budget, "includeThoughts": budget > 0}
        )
    else:
        level = _LEVELS.get(asked.effort)
        found = {} if level is None else {"thinkingLevel": level, "includeThoughts": True}
    return {"thinkingConfig": found} if found else {}
