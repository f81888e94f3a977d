"""What a provider's refusal means: its status first, then the error's own code, its message last.

Read by structure, whoever sent it: OpenAI's `error` object, Anthropic's
(platform.claude.com/docs/en/api/errors), Google's (cloud.google.com/apis/design/errors), a bare message as
Mistral and vLLM send it, or a `detail`.
"""

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
# An error's code, status or reason that says more than the HTTP status: the kind, and whether to go on.
_BY_CODE: dict[str, tuple[str, bool]] = {
    "context_length_exceeded": ("context_length", False),
    # Azure: learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
    "content_filter": ("content_filter", False),
    "content_policy_violation": ("content_filter", False),
    # what this model cannot do, which another can: developers.openai.com/api/docs/guides/error-codes
    "unsupported_parameter": ("invalid_request", True),
    "unsupported_value": ("invalid_request", True),
    # DashScope: alibabacloud.com/help/en/model-studio/error-code
    "data_inspection_failed": ("content_filter", False),
    "datainspectionfailed": ("content_filter", False),
    # Groq answers 413 where a request alone is over the limit of a minute: console.groq.com/docs/errors
    "rate_limit_exceeded": ("rate_limit", True),
    # Google answers 400 for a bad key: ai.google.dev/gemini-api/docs/troubleshooting
    "api_key_invalid": ("authentication", True),
    "resource_exhausted": ("rate_limit", True),
}
# Refusals that several providers tell apart from other 400s in their message alone.
_BY_MESSAGE: tuple[tuple[re.Pattern[str], tuple[str, bool]], ...] = (
    (
        re.compile(
            r"maximum context length|context (?:length|window|limit)|prompt is too long|too many tokens"
            r"|input token count|exceeds the maximum number of tokens|range of input length",
            re.IGNORECASE,
        ),
        ("context_length", False),
    ),
    # api-docs.deepseek.com, error codes
    (re.compile(r"content exists risk", re.IGNORECASE), ("content_filter", False)),
    # our own account is empty, which the next provider does not share
    (re.compile(r"credit balance is too low|insufficient balance", re.IGNORECASE), ("permission", True)),
)
# How an error inside a stream, which has no status of its own, names what it is.
_STATUS_BY_NAME = {
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "failed_precondition": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "billing_error": 402,
    "timeout_error": 504,
    "unauthenticated": 401,
    "permission_denied": 403,
    "not_found": 404,
    "resource_exhausted": 429,
    "unavailable": 503,
    "deadline_exceeded": 504,
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
    kind, retryable = _more_exactly(status, error) or _BY_STATUS.get(status, default)
    message = error.get("message")
    told = message if isinstance(message, str) and message else f"The provider answered {status}."
    return ProviderError(
        kind,
        redacted(told, key),
        status=status,
        retryable=retryable,
        retry_after_s=_wait_in(error) if (told_s := retry_after_s(headers)) is None else told_s,
        body={
            name: redacted(str(error[name]), key)
            for name in ("type", "param", "code")
            if isinstance(error.get(name), str | int)
        },
    )


def _more_exactly(status: int, error: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return what the error says of itself where that is more than its status does."""
    for told in (error.get("code"), error.get("status"), error.get("type"), *_reasons(error)):
        found = _BY_CODE.get(told.lower()) if isinstance(told, str) else None
        if found is not None:
            return found
    if status == 403 and _metadata(error).get("reasons"):
        # moderation: openrouter.ai/docs/api-reference/errors
        return ("content_filter", False)
    if status not in (400, 402, 413, 422):
        return None
    message = str(error.get("message"))
    return next((kind for pattern, kind in _BY_MESSAGE if pattern.search(message)), None)


def _metadata(error: Mapping[str, Any]) -> Mapping[str, Any]:
    found = error.get("metadata")
    return found if isinstance(found, dict) else {}


def _details(error: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = error.get("details")
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _reasons(error: Mapping[str, Any]) -> list[Any]:
    return [row.get("reason") for row in _details(error)]


def _wait_in(error: Mapping[str, Any]) -> float | None:
    """Return the wait that Google tells in the body (cloud.google.com/apis/design/errors, RetryInfo)."""
    for row in _details(error):
        delay = row.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            try:
                return _within_reason(float(delay[:-1]))
            except ValueError:
                return None
    return None


def from_event(data: bytes, *, key: str | None = None) -> ProviderError | None:
    """Return the error that an event of a stream carries, or None where it carries none."""
    error = _error_object(data)
    if not error:
        return None
    return from_status(_status_in(error), {}, data, key=key)


def _status_in(error: Mapping[str, Any]) -> int:
    for told in (error.get("code"), error.get("status"), error.get("type")):
        status = _STATUS_BY_NAME.get(told.lower()) if isinstance(told, str) else told
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
    """Return what an answer says of its failure, or an empty object; some providers send a bare string."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if isinstance(found, list) and len(found) == 1:
        # Google wraps the errors of a stream that never began in a list
        found = found[0]
    if not isinstance(found, dict):
        return {}
    error = found.get("error")
    if isinstance(error, str):
        return {"message": error}
    if isinstance(error, dict):
        return error
    return _bare(found)


def _bare(found: dict[str, Any]) -> dict[str, Any]:
    """Return an error that is the whole body: a message, or the findings of a validation."""
    if isinstance(found.get("message"), str) and "choices" not in found:
        return found
    detail = found.get("detail")
    if isinstance(detail, list):
        detail = "; ".join(str(row.get("msg")) for row in detail if isinstance(row, dict))
    return {"message": detail} if isinstance(detail, str) and detail else {}
