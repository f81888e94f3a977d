"""What callers of the other two inbound APIs may ask, in those APIs' own words.

`golden/inbound/API/FEATURE.json` holds what each provider is sent for it, so that every pair of an inbound
API and a provider is pinned; `python -m tests.serving.dispatch.conformance` writes them anew.
"""

from __future__ import annotations

from typing import Any

from serving.api.anthropic import request as anthropic_request
from serving.api.anthropic.bodies import MessagesBody
from serving.api.openai_responses import request as responses_request
from serving.api.openai_responses.bodies import ResponsesBody
from serving.api.schemas import checked

_USER = {"role": "user", "content": "Hello?"}
_PLACE = {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}
_CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_LOOK = {"name": "look", "description": "Look at a place.", "input_schema": _PLACE}
_FUNCTION = {"type": "function", "name": "look", "description": "Look at a place.", "parameters": _PLACE}
_IMAGE = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
_PDF = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
_THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
_CALLED = [
    {"type": "tool_use", "id": f"toolu_{one}", "name": "look", "input": {"at": "Köln"}} for one in "12"
]
_RESULTS = [{"type": "tool_result", "tool_use_id": f"toolu_{one}", "content": "rain"} for one in "12"]
_ITEMS = [
    *({"type": "function_call", "call_id": f"call_{one}", "name": "look", "arguments": "{}"} for one in "12"),
    *({"type": "function_call_output", "call_id": f"call_{one}", "output": "rain"} for one in "12"),
]

MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "system": ("system as blocks", {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    }),
    "stop": ("stop sequences", {"stop_sequences": ["END", "STOP"]}),
    "temperature": ("temperature", {"temperature": 0.5}),
    "top_p": ("top_p", {"top_p": 0.9}),
    "tools": ("tools", {"tools": [_LOOK]}),
    "tool_any": ("a tool must be called", {"tools": [_LOOK], "tool_choice": {"type": "any"}}),
    "tool_named": ("this tool must be called", {
        "tools": [_LOOK], "tool_choice": {"type": "tool", "name": "look"},
    }),
    "one_tool": ("no parallel calls", {
        "tools": [_LOOK], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }),
    "tool_results": ("parallel calls and their results", {
        "tools": [_LOOK],
        "messages": [
            _USER, {"role": "assistant", "content": _CALLED}, {"role": "user", "content": _RESULTS},
        ],
    }),
    "schema": ("output by a schema", {"output_config": {"format": {"type": "json_schema", "schema": _CITY}}}),
    "image": ("an image as data", {
        "messages": [{"role": "user", "content": [{"type": "image", "source": _IMAGE}]}],
    }),
    "document": ("a PDF as data", {
        "messages": [{"role": "user", "content": [{"type": "document", "source": _PDF}]}],
    }),
    "effort": ("effort", {"output_config": {"effort": "high"}}),
    "thinking": ("thinking with a budget", {
        "max_tokens": 5_000, "thinking": {"type": "enabled", "budget_tokens": 4_000},
    }),
    "thoughts": ("signed thoughts of an earlier turn", {
        "tools": [_LOOK],
        "max_tokens": 5_000,
        "thinking": {"type": "enabled", "budget_tokens": 4_000},
        "messages": [
            _USER, {"role": "assistant", "content": [_THOUGHT, _CALLED[0]]},
            {"role": "user", "content": [_RESULTS[0]]},
        ],
    }),
    "user": ("metadata.user_id", {"metadata": {"user_id": "u-1"}}),
}  # fmt: skip
RESPONSES: dict[str, tuple[str, dict[str, Any]]] = {
    "instructions": ("instructions", {"instructions": "Be brief."}),
    "turns": ("earlier turns as items", {
        "input": [
            {"role": "developer", "content": "Be kind."}, _USER,
            {"role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}, _USER,
        ],
    }),
    "limit": ("max_output_tokens", {"max_output_tokens": 50}),
    "temperature": ("temperature", {"temperature": 0.5}),
    "top_p": ("top_p", {"top_p": 0.9}),
    "tools": ("tools", {"tools": [_FUNCTION]}),
    "tool_required": ("a tool must be called", {"tools": [_FUNCTION], "tool_choice": "required"}),
    "one_tool": ("no parallel calls", {"tools": [_FUNCTION], "parallel_tool_calls": False}),
    "tool_results": ("parallel calls and their outputs", {"tools": [_FUNCTION], "input": [_USER, *_ITEMS]}),
    "schema": ("output by a strict schema", {
        "text": {"format": {"type": "json_schema", "name": "city", "schema": _CITY, "strict": True}},
    }),
    "json": ("JSON mode", {"text": {"format": {"type": "json_object"}}}),
    "image": ("an image as data", {
        "input": [{"role": "user", "content": [
            {"type": "input_text", "text": "See."},
            {"type": "input_image", "image_url": "data:image/png;base64,aGVsbG8="},
        ]}],
    }),
    "file": ("a PDF as data", {
        "input": [{"role": "user", "content": [
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
        ]}],
    }),
    "effort": ("reasoning.effort", {"reasoning": {"effort": "high"}}),
}  # fmt: skip
INBOUND = {"messages": MESSAGES, "responses": RESPONSES}


def chat(api: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the chat completion that a request to an inbound API becomes."""
    if api == "messages":
        body = {"model": "auto", "max_tokens": 100, "messages": [_USER]} | fields
        return anthropic_request.chat_of(checked(body, MessagesBody))
    return responses_request.chat_of(checked({"model": "auto", "input": "Hello?"} | fields, ResponsesBody))


def without(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a request that lacks nothing but what the feature is about: its last field."""
    return {name: fields[name] for name in list(fields)[:-1]}
