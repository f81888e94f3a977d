"""What a provider's refusal means: its status first, then OpenAI's error code, its message last."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from serving.dispatch.adapter import ProviderError

# Status: the kind of failure, and whether another deployment may do better. A refused key and a model that
# is not there are our own configuration's fault, which the next deployment does not share.
_BY_STATUS: dict[int, tuple[str, bool]] = {
    400: ("invalid_request", False),
    401: ("authentication", True),
    402: ("permission", True),
    403: ("permission", True),
    404: ("not_found", True),
    408: ("timeout", True),
    409: ("upstream", True),
    413: ("context_length", False),
    422: ("invalid_request", False),
    429: ("rate_limit", True),
    503: ("overloaded", True),
    504: ("timeout", True),
    529: ("overloaded", True),
}
_BY_CODE = {
    "context_length_exceeded": "context_length",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
}
# How an error inside a stream, which has no status of its own, names what it is.
_STATUS_BY_NAME = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
}
_LONGEST_MESSAGE = 500
_LONGEST_RETRY_AFTER_S = 86_400.0
_SECRET = re.compile(r"\b(?:sk|gsk|key|pk)-[A-Za-z0-9_\-*.]{6,}|\b[A-Za-z0-9_\-]{40,}\b|Bearer\s+\S+")


def from_status(
    status: int, headers: Mapping[str, str], body: bytes, *, key: str | None = None
) -> ProviderError:
    """Return the error that an answer with this status stands for."""
    error = _error_object(body)
    default = ("invalid_request", False) if 400 <= status < 500 else ("upstream", True)
    kind, retryable = _BY_STATUS.get(status, default)
    kind = _BY_CODE.get(str(error.get("code")), kind)
    message = error.get("message")
    told = message if isinstance(message, str) and message else f"The provider answered {status}."
    return ProviderError(
        kind,
        redacted(told, key),
        status=status,
        retryable=retryable and kind not in ("context_length", "content_filter"),
        retry_after_s=retry_after_s(headers),
        body={
            name: redacted(str(error[name]), key)
            for name in ("type", "param", "code")
            if isinstance(error.get(name), str | int)
        },
    )


def from_event(data: bytes, *, key: str | None = None) -> ProviderError | None:
    """Return the error that an event of a stream carries, or None where it carries none."""
    error = _error_object(data)
    if not error:
        return None
    return from_status(_status_in(error), {}, data, key=key)


def _status_in(error: Mapping[str, Any]) -> int:
    for told in (error.get("code"), error.get("status"), error.get("type")):
        status = _STATUS_BY_NAME.get(told) if isinstance(told, str) else told
        if isinstance(status, int) and 400 <= status < 600:
            return status
    return 502


def redacted(message: str, key: str | None = None) -> str:
    """Return a provider's message, cut to a length, without the key or anything that looks like one.

    >>> redacted("Incorrect API key provided: sk-abcdefghijkl.")
    'Incorrect API key provided: [redacted]'
    """
    if key:
        message = message.replace(key, "[redacted]")
    # the pattern needs to read no more than what is kept, with room for what it shortens
    message = message[: 20 * _LONGEST_MESSAGE]
    return _SECRET.sub("[redacted]", message)[:_LONGEST_MESSAGE]


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return how long the provider asks to wait, in seconds: milliseconds, seconds or an HTTP date.

    >>> retry_after_s({"retry-after-ms": "1500"}), retry_after_s({"Retry-After": "2"}), retry_after_s({})
    (1.5, 2.0, None)
    """
    found = {name.lower(): value for name, value in headers.items()}
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return _within_reason(float(found[name]) / scale)
        except (KeyError, ValueError):
            continue
    try:
        when = parsedate_to_datetime(found["retry-after"])
    except (KeyError, ValueError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return _within_reason((when - (now or datetime.now(UTC))).total_seconds())


def _within_reason(seconds: float) -> float | None:
    """Return seconds a caller can be told to wait; None where a provider sent no such number."""
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER_S)


def _error_object(body: bytes) -> dict[str, Any]:
    """Return the `error` object of an answer, or an empty one; some providers send a bare string."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}
