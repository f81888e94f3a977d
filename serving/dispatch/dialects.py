"""How the providers that speak OpenAI's protocol differ: a row of data each, and what applies it.

A field is renamed, left out where it is only a hint, held within a range, or refused where the answer would
not be what was asked: a refusal costs no call, and the next deployment is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from serving.dispatch.adapter import ProviderError, cannot


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider's ways; everything empty is OpenAI's protocol as it is.

    `refuse` names fields that the provider cannot honour, with the values that ask for nothing.
    `keeps` names what of other providers' fields in a message it takes: the rest would be refused as unknown.
    `formats` names the types of `response_format` that it lacks. `careful` are fields that are added where
    tools or a form of the answer are asked for. `fields` names what of a message is left out.
    `at_rest` is how a model that reasons is spoken to where `reasoning_effort` is none.
    `openai_tools` tells that it takes OpenAI's tools of free text, and a choice among some of the tools.
    `call_id_length` is how many letters and digits the id of a tool's call must have; others are recast.
    """

    roles: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    clamp: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    refuse: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    formats: frozenset[str] = frozenset()
    careful: Mapping[str, Any] = field(default_factory=dict)
    most_stops: int | None = None
    stream_options: bool = True
    key_header: str = "authorization"
    keeps: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    at_rest: Dialect | None = None
    call_id_length: int | None = None
    openai_tools: bool = False


# What an answer of another provider, or a caller who speaks to one, puts into messages.
_OF_OTHERS = frozenset({"thinking_blocks", "reasoning_content", "extra_content", "cache_control"})
_SYSTEM = {"developer": "system"}
_PARALLEL = (None, True)
_ONE = (None, 1)
_OFF = (None, False)
# Asked of OpenAI alone: the others' references do not know it, and most ignore what they do not know.
_SEARCH: dict[str, tuple[Any, ...]] = {"web_search_options": (None,)}
# What tools were before there were tools, which these never had.
_OLD_TOOLS: dict[str, tuple[Any, ...]] = {"functions": (None, []), "function_call": (None,)}
# Fields of OpenAI's own platform, which change nothing about the answer.
_PLATFORM = frozenset(
    {"user", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
     "verbosity", "prediction"}
)  # fmt: skip

# A 400 while a model reasons: learn.microsoft.com/azure/ai-foundry/openai/how-to/reasoning, not supported;
# taken where it does not: developers.openai.com/api/docs/guides/latest-model, parameter compatibility.
_SAMPLING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty"})
_READS_ODDS: Mapping[str, tuple[Any, ...]] = {"logprobs": _OFF, "logit_bias": (None, {})}
# developers.openai.com/api/reference/resources/chat: max_tokens is deprecated, reasoning models refuse it
_OPENAI = Dialect(rename={"max_tokens": "max_completion_tokens"}, most_stops=4, openai_tools=True)
# learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle (the v1 API, no api-version)
_AZURE = replace(_OPENAI, key_header="api-key")

DIALECTS: Mapping[str, Dialect] = {
    # Servers that nothing is known about: everything goes on as it came.
    "plain": Dialect(keeps=_OF_OTHERS, openai_tools=True),
    "openai": _OPENAI,
    # models that reason unless they are told not to: GPT-5 and later, o3, o4
    "openai_reasoning": replace(_OPENAI, drop=_SAMPLING, refuse=_READS_ODDS, at_rest=_OPENAI),
    "azure": _AZURE,
    "azure_reasoning": replace(_AZURE, drop=_SAMPLING, refuse=_READS_ODDS, at_rest=_AZURE),
    # docs.mistral.ai/api (fields as of its Python SDK 3.7); unknown fields are answered with 422
    "mistral": Dialect(
        roles=_SYSTEM,
        rename={"max_completion_tokens": "max_tokens", "seed": "random_seed"},
        drop=(_PLATFORM - {"prediction"}) | {"metadata"},
        clamp={"temperature": (0.0, 1.5)},
        refuse={"logit_bias": (None, {}), "modalities": (None, ["text"])} | _SEARCH | _OLD_TOOLS,
        stream_options=False,
        # mistralai.github.io/mistral-common/usage/tools; another id is a 400 of code 3280
        call_id_length=9,
    ),
    # api-docs.deepseek.com/api/create-chat-completion: JSON without a schema, one answer
    "deepseek": Dialect(
        roles=_SYSTEM,
        rename={"max_completion_tokens": "max_tokens"},
        drop=_PLATFORM | {"seed"},
        refuse={"n": _ONE, "logit_bias": (None, {}), "parallel_tool_calls": _PARALLEL} | _SEARCH | _OLD_TOOLS,
        # api-docs.deepseek.com/guides/thinking_mode: wanted back while tools are used
        keeps=frozenset({"reasoning_content"}),
        formats=frozenset({"json_schema"}),
        most_stops=16,
    ),
    # alibabacloud.com/help/en/model-studio/qwen-api-reference: temperature below 2, no forced tool choice
    "qwen": Dialect(
        roles=_SYSTEM,
        rename={"max_completion_tokens": "max_tokens"},
        drop=_PLATFORM | {"frequency_penalty", "metadata"},
        clamp={"temperature": (0.0, 1.99), "top_p": (0.01, 1.0)},
        refuse={"logit_bias": (None, {}), "tool_choice": (None, "auto", "none", dict)} | _SEARCH | _OLD_TOOLS,
        keeps=frozenset({"reasoning_content"}),
    ),
    # console.groq.com/docs/openai, "currently unsupported"
    "groq": Dialect(
        rename={"max_tokens": "max_completion_tokens"},
        roles=_SYSTEM,
        drop=_PLATFORM - {"user", "service_tier"},
        refuse={"n": _ONE, "logprobs": _OFF, "logit_bias": (None, {})} | _SEARCH,
        fields=frozenset({"name"}),
        most_stops=4,
    ),
    # docs.together.ai/reference/chat-completions-1: logprobs is a number there
    "together": Dialect(
        roles=_SYSTEM,
        rename={"max_completion_tokens": "max_tokens"},
        drop=_PLATFORM,
        refuse={"logprobs": _OFF} | _SEARCH,
    ),
    # openrouter.ai/docs/features/provider-routing: hosts ignore what they lack, unless left out
    "openrouter": Dialect(
        drop=_PLATFORM - {"user", "verbosity", "prediction"},
        careful={"provider": {"require_parameters": True}},
        # openrouter.ai/docs/features/prompt-caching
        keeps=frozenset({"cache_control"}),
    ),
    # docs.vllm.ai/en/latest/serving/openai_compatible_server: few chat templates know developer
    "vllm": Dialect(roles=_SYSTEM, drop=_PLATFORM, refuse=_SEARCH | _OLD_TOOLS),
    # docs.ollama.com/api/openai-compatibility, "supported request fields"
    "ollama": Dialect(
        roles=_SYSTEM,
        rename={"max_completion_tokens": "max_tokens"},
        drop=_PLATFORM | {"metadata"},
        refuse={
            "n": _ONE, "logit_bias": (None, {}), "tool_choice": (None, "auto"),
            "parallel_tool_calls": _PARALLEL,
        } | _SEARCH | _OLD_TOOLS,
    ),
}  # fmt: skip


def adapted(body: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return the body as the provider takes it; raise ProviderError for what it cannot honour.

    >>> adapted({"max_tokens": 5, "store": True}, DIALECTS["openai"])
    {'max_completion_tokens': 5, 'store': True}
    """
    if dialect.at_rest is not None and body.get("reasoning_effort") == "none":
        dialect = dialect.at_rest
    for message in _impossible(body, dialect):
        raise message
    renamed = {
        dialect.rename.get(name, name): value
        for name, value in body.items()
        if name not in dialect.drop and name not in dialect.refuse
    }
    renamed |= {name: body[name] for name in dialect.refuse if body.get(name) is not None}
    for name, (least, most) in dialect.clamp.items():
        if isinstance(renamed.get(name), int | float):
            renamed[name] = min(max(renamed[name], least), most)
    if isinstance(body.get("messages"), list):
        renamed["messages"] = [_recast(message, dialect) for message in body["messages"]]
    if dialect.careful and (body.get("tools") or body.get("response_format")):
        for name, value in dialect.careful.items():
            renamed.setdefault(name, value)
    return renamed


def _impossible(body: Mapping[str, Any], dialect: Dialect) -> Iterator[ProviderError]:
    for name, harmless in dialect.refuse.items():
        value = body.get(name)
        if value not in harmless and type(value) not in harmless:
            yield _cannot(name, f"this provider cannot honour {name} as asked.")
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind in dialect.formats:
        yield _cannot("response_format", f"this provider has no {kind}.")
    if not dialect.openai_tools:
        yield from _strange_tools(body)
    stop = body.get("stop")
    if dialect.most_stops is not None and isinstance(stop, list) and len(stop) > dialect.most_stops:
        yield _cannot("stop", f"this provider takes at most {dialect.most_stops} stop sequences.")


def _strange_tools(body: Mapping[str, Any]) -> Iterator[ProviderError]:
    for place, tool in enumerate(body.get("tools") or ()):
        if isinstance(tool, dict) and tool.get("type") == "custom":
            yield _cannot(f"tools[{place}]", "this provider has no tools of type 'custom'.")
    choice = body.get("tool_choice")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("allowed_tools", "custom"):
        yield _cannot("tool_choice", f"this provider has no choice of type {kind!r}.")


def _recast(message: Any, dialect: Dialect) -> Any:
    """Return a message in a role that is known, without what other providers put into it."""
    if not isinstance(message, dict):
        return message
    role = dialect.roles.get(str(message.get("role")))
    strange = (_OF_OTHERS - dialect.keeps) | dialect.fields
    found = message if role is None else message | {"role": role}
    if not strange.isdisjoint(found):
        found = {name: value for name, value in found.items() if name not in strange}
    for name, inner in (("tool_calls", "extra_content"), ("content", "cache_control")):
        rows = found.get(name)
        if inner not in strange or not isinstance(rows, list):
            continue
        if any(isinstance(row, dict) and inner in row for row in rows):
            found = found | {name: [_without(row, inner) for row in rows]}
    return found if dialect.call_id_length is None else _with_short_ids(found, dialect.call_id_length)


def _with_short_ids(message: dict[str, Any], length: int) -> dict[str, Any]:
    """Return a message whose ids of calls the provider takes; the same id becomes the same everywhere."""
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        told = [
            call | {"id": short_id(call["id"], length)}
            if isinstance(call, dict) and isinstance(call.get("id"), str)
            else call
            for call in calls
        ]
        message = message | {"tool_calls": told}
    if isinstance(message.get("tool_call_id"), str):
        message = message | {"tool_call_id": short_id(message["tool_call_id"], length)}
    return message


def short_id(told: str, length: int) -> str:
    """Return an id of so many letters and digits for any id; one that is so already stays.

    >>> short_id("D681PevKs", 9), len(short_id("call_1", 9)), short_id("call_1", 9) == short_id("call_2", 9)
    ('D681PevKs', 9, False)
    """
    if len(told) == length and told.isascii() and told.isalnum():
        return told
    return blake2b(told.encode("utf-8", "replace")).hexdigest()[:length]


def _without(row: Any, name: str) -> Any:
    return {key: value for key, value in row.items() if key != name} if isinstance(row, dict) else row


def _cannot(param: str, told: str) -> ProviderError:
    return cannot(param, f"{told} Leave it out, or name another deployment.")
