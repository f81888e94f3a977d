"""What a caller may ask, feature by feature: the bodies that every provider's request is checked for.

`golden/requests/<feature>.json` holds what each provider is sent for them. After a change that is meant,
`python -m tests.serving.dispatch.conformance` writes them and docs/conformance.md anew; read the difference.
"""

from __future__ import annotations

from typing import Any

USER = {"role": "user", "content": "Hello?"}
BASE: dict[str, Any] = {"model": "auto", "messages": [USER]}
TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look at a place.",
        "parameters": {
            "type": "object",
            "properties": {"at": {"type": "string"}},
            "required": ["at"],
        },
    },
}
STRICT = {"type": "function", "function": TOOL["function"] | {"strict": True}}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "sure": {"type": ["boolean", "null"]}},
    "required": ["city", "sure"],
    "additionalProperties": False,
}
IMAGE = "data:image/png;base64,aGVsbG8="
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "Köln"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
]
RESULTS = [
    {"role": "tool", "tool_call_id": "call_1", "content": '{"seen": "rain"}'},
    {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "nothing"}]},
]
SIGNED = CALLS[0] | {"extra_content": {"google": {"thought_signature": "c2ln"}}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "See."}, *parts]}]}


def _said(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


FEATURES: dict[str, tuple[str, dict[str, Any]]] = {
    "system": ("several system and developer messages, late, as parts", {
        "messages": [
            _said("Be brief.", "system"),
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            USER,
            _said("Now in French.", "system"),
        ]
    }),
    "names": ("a name beside a message", {"messages": [USER | {"name": "Ada"}]}),
    "turns": ("an assistant first, the same role twice, empty words", {
        "messages": [
            _said("Hi.", "assistant"), _said("a"), _said(""), _said("b"), _said("c", "assistant"), USER,
        ]
    }),
    "tools": ("tools", {"tools": [TOOL]}),
    "tools_strict": ("strict tools", {"tools": [STRICT]}),
    "tool_choice_none": ("tool choice: none", {"tools": [TOOL], "tool_choice": "none"}),
    "tool_choice_required": ("tool choice: required", {"tools": [TOOL], "tool_choice": "required"}),
    "tool_choice_named": ("tool choice: by name", {
        "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}},
    }),
    "tool_choice_allowed": ("tool choice: among some", {
        "tools": [TOOL],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "look"}},
        ]}},
    }),
    "tools_custom": ("tools that take free text", {"tools": [{"type": "custom", "custom": {"name": "say"}}]}),
    "functions": ("functions, as before tools", {"functions": [TOOL["function"]]}),
    "web_search": ("a search of the web", {"web_search_options": {}}),
    "parallel_tools_off": ("no parallel calls", {"tools": [TOOL], "parallel_tool_calls": False}),
    "tool_results": ("parallel calls and their results", {
        "tools": [TOOL],
        "messages": [
            USER, {"role": "assistant", "content": None, "tool_calls": CALLS}, *RESULTS, _said("And?"),
        ],
    }),
    "json_object": ("JSON mode", {"response_format": {"type": "json_object"}}),
    "json_schema": ("JSON by a strict schema", {
        "response_format": {
            "type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA},
        }
    }),
    "stop": ("a stop sequence", {"stop": "END"}),
    "stop_list": ("four stop sequences", {"stop": ["a", "b", "c", "d"]}),
    "stop_many": ("six stop sequences", {"stop": ["a", "b", "c", "d", "e", "f"]}),
    "max_tokens": ("max_tokens", {"max_tokens": 50}),
    "max_completion_tokens": ("max_completion_tokens", {"max_completion_tokens": 50}),
    "temperature": ("temperature 1.8", {"temperature": 1.8}),
    "temperature_at_rest": (
        "temperature without reasoning", {"reasoning_effort": "none", "temperature": 0.3}
    ),
    "top_p": ("top_p", {"top_p": 0.5}),
    "seed": ("seed", {"seed": 7}),
    "presence_penalty": ("presence penalty", {"presence_penalty": 0.5}),
    "frequency_penalty": ("frequency penalty", {"frequency_penalty": 0.25}),
    "effort": ("reasoning effort high", {"reasoning_effort": "high"}),
    "effort_limited": (
        "reasoning effort high, at most 3,000 tokens",
        {"max_completion_tokens": 3_000, "reasoning_effort": "high"},
    ),
    "effort_none": ("reasoning effort none", {"reasoning_effort": "none"}),
    "thoughts": ("thoughts kept across turns", {
        "tools": [TOOL],
        "reasoning_effort": "high",
        "messages": [
            USER,
            {"role": "assistant", "content": None, "thinking_blocks": [THOUGHT], "tool_calls": [SIGNED]},
            RESULTS[0],
        ],
    }),
    "image_url": ("an image by its address", _parts(
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    )),
    "image_data": ("an image as data", _parts({"type": "image_url", "image_url": {"url": IMAGE}})),
    "audio": ("sound", _parts({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}})),
    "file": ("a PDF as data", _parts(
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}
    )),
    "file_id": ("a file by its id", _parts({"type": "file", "file": {"file_id": "file-1"}})),
    "n": ("two answers", {"n": 2}),
    "logprobs": ("probabilities", {"logprobs": True, "top_logprobs": 2}),
    "logit_bias": ("logit_bias", {"logit_bias": {"50256": -100}}),
    "user": ("user", {"user": "u-1"}),
}  # fmt: skip

# The same request without its feature; where it is not named here, without the last field.
WITHOUT: dict[str, dict[str, Any]] = {
    "logprobs": {},
    "thoughts": {
        "tools": [TOOL],
        "reasoning_effort": "high",
        "messages": [USER, {"role": "assistant", "content": None, "tool_calls": CALLS[:1]}, RESULTS[0]],
    },
}


def without(feature: str) -> dict[str, Any]:
    """Return the fields of a request that lacks nothing but the feature."""
    asked = FEATURES[feature][1]
    return WITHOUT.get(feature, {name: asked[name] for name in list(asked)[:-1]})
