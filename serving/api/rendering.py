"""Everything that goes wrong, as the caller's API tells it: OpenAI's shape, or Anthropic's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from serving.api.anthropic.errors import in_anthropics_shape
from serving.errors import WeighbridgeError
from serving.refusal import DECISION_ID_HEADER

_log = logging.getLogger(__name__)

# Every SDK of Anthropic's sends it.
_ANTHROPIC_HEADER = "anthropic-version"


def add_handlers(app: Starlette) -> None:
    """Make the application answer every error through this module."""
    for kind in (WeighbridgeError, HTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, rendered)


def rendered(request: Request, error: Exception) -> Response:
    """Return what the caller is told of an error."""
    if isinstance(error, WeighbridgeError):
        return _error(request, error.status, error.to_openai(), error.headers)
    if isinstance(error, HTTPException):
        return _render_http(request, error)
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    return _render_fault(request, error)


def _render_http(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    paths = {
        path for row in request.app.routes if (path := getattr(row, "path", "")) and row.include_in_schema
    }
    message = {
        404: f"There is nothing at {request.url.path}. Known paths: {', '.join(sorted(paths))}.",
        405: f"{request.method} is not for {request.url.path}.",
    }.get(status, "The request could not be handled.")
    code = {404: "unknown_url", 405: "method_not_allowed"}.get(status)
    headers = dict(error.headers or {})
    return _error(
        request, status, WeighbridgeError(message).to_openai("invalid_request_error", code), headers
    )


def _render_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the caller learns that it is not theirs, the log keeps the trace."""
    _log.error("A request to %s failed", request.url.path, exc_info=error)
    fault = WeighbridgeError("Weighbridge failed on this request. The service's own log has the details.")
    return _error(request, 500, fault.to_openai(code="internal_error"), {})


def _error(request: Request, status: int, body: dict[str, Any], headers: Mapping[str, str]) -> Response:
    if request.url.path.startswith("/v1/messages") or _ANTHROPIC_HEADER in request.headers:
        body = in_anthropics_shape(status, body, headers.get(DECISION_ID_HEADER))
    content = msgspec.json.encode(body)
    return Response(content, status_code=status, media_type="application/json", headers=headers)
