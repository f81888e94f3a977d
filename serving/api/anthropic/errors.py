"""Our errors in Anthropic's shape, so that its SDKs raise what their user expects."""

from __future__ import annotations

from typing import Any

_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_BY_KIND = {
    "invalid_request": "invalid_request_error",
    "context_length": "invalid_request_error",
    "content_filter": "invalid_request_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
}


def in_anthropics_shape(status: int, body: dict[str, Any], request_id: str | None) -> dict[str, Any]:
    """Return an OpenAI error body as Anthropic would write it; our own code and detail go along."""
    told = body["error"]
    details = {"error_code": told.get("code"), "param": told.get("param"), "detail": told.get("detail")}
    error: dict[str, Any] = {"type": _BY_STATUS.get(status, "api_error"), "message": told["message"]}
    if found := {name: value for name, value in details.items() if value is not None}:
        error["details"] = found
    return {"type": "error", "error": error, "request_id": request_id}


def type_of_kind(kind: str) -> str:
    """Return what Anthropic calls this kind of failure; what is wrong with our own keys is a fault of ours.

    >>> type_of_kind("rate_limit"), type_of_kind("authentication")
    ('rate_limit_error', 'api_error')
    """
    return _BY_KIND.get(kind, "api_error")
