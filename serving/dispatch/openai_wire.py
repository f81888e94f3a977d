"""The little that is read of OpenAI's JSON while it passes: is it an answer, has it ended, what was used."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.dispatch.adapter import ProviderError
from serving.dispatch.failures import from_event
from serving.records import Usage


class FunctionSeen(msgspec.Struct):
    """The function of a part of a call."""

    name: Any = None


class CallSeen(msgspec.Struct):
    """A part of a tool call."""

    index: Any = None
    id: Any = None
    function: FunctionSeen | None = None


class DeltaSeen(msgspec.Struct):
    """What is new in a choice; its words are skipped."""

    role: Any = None
    tool_calls: list[CallSeen] | None = None


class ChoiceSeen(msgspec.Struct):
    """One choice of an answer or a chunk."""

    index: int | None = 0
    delta: DeltaSeen | None = None
    finish_reason: Any = None


class Seen(msgspec.Struct):
    """An answer or a chunk. Decoding into this is quicker than searching the bytes for the same words."""

    id: Any = None
    model: Any = None
    choices: list[ChoiceSeen] | None = None
    usage: Any = None
    error: Any = None


_SEEN = msgspec.json.Decoder(Seen)
_NOTHING: dict[str, Any] = {}


def seen(data: bytes, key: str | None) -> Seen:
    """Return what matters of an answer or a chunk; raise ProviderError where it is an error, or not JSON."""
    try:
        found = _SEEN.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as reason:
        raise ProviderError(
            "upstream", "The provider's answer is not in OpenAI's format.", status=502, retryable=True
        ) from reason
    if found.error:
        error = from_event(data, key=key)
        if error is not None:
            raise error
    return found


def usage_of(body: bytes, key: str | None) -> Usage:
    """Return the usage of a whole answer; raise ProviderError where the body is not an answer."""
    found = seen(body, key)
    if found.choices is None:
        raise ProviderError("upstream", "The provider's answer has no choices.", status=502, retryable=True)
    return usage(found.usage)


def seen_usage(body: bytes, key: str | None) -> Usage:
    """Return the usage of any body that is not an error; raise ProviderError where it is one."""
    return usage(seen(body, key).usage)


def usage(found: Any) -> Usage:
    """Return what a provider counted; an odd count is unknown, never a reason to lose a paid answer.

    >>> usage({"prompt_tokens": 7, "completion_tokens": "two"}).output_tokens is None
    True
    """
    if not isinstance(found, dict):
        return Usage()
    read = found.get("prompt_tokens_details")
    said = found.get("completion_tokens_details")
    read = read if isinstance(read, dict) else _NOTHING
    said = said if isinstance(said, dict) else _NOTHING
    # DeepSeek counts hits beside the prompt's tokens (api-docs.deepseek.com/guides/kv_cache)
    cached = read.get("cached_tokens", found.get("prompt_cache_hit_tokens"))
    return Usage(
        count(found.get("prompt_tokens")),
        count(found.get("completion_tokens")),
        count(cached),
        count(read.get("cache_write_tokens")),
        count(said.get("reasoning_tokens")),
    )


def count(value: Any) -> int | None:
    """Return a count of tokens, or None where it is no such number."""
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and value >= 0 else None
