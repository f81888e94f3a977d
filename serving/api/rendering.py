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
from serving.gateway import DECISION_ID_HEADER

_log = logging.getLogger(__name__)

# Every SDK of Anthropic's sends it.
_ANTHROPIC_HEADER = "anthropic-version"


def add_handlers(app: Starlette) -> None:
    """Make the application answer every error through this module."""
    app.add_exception_handler(WeighbridgeError, _render)
    app.add_exception_handler(HTTPException, _render_http)
    app.add_exception_handler(ClientDisconnect, _render_gone)
    app.add_exception_handler(Exception, _render_fault)


def _render(request: Request, error: Exception) -> Response:
    if not isinstance(error, WeighbridgeError):
        return _render_fault(request, error)
    return _error(request, error.status, error.to_openai(), error.headers)


def _render_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    paths = {
        path for row in request.app.routes if (path := getattr(row, "path", "")) and row.include_in_schema
    }
    message = {
        404: f"There is nothing at {request.url.path}. Known paths: {', '.join(sorted(paths))}.",
        405: f"{request.method} is not for {request.url.path}.",
    }.get(status, "The request could not be handled.")
    code = {404: "unknown_url", 405: "method_not_allowed"}.get(status)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return _error(
        request, status, WeighbridgeError(message).to_openai("invalid_request_error", code), headers
    )


def _render_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


def _render_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the caller learns that it is not theirs, the log keeps the trace."""
    _log.error("A request to %s failed", request.url.path, exc_info=error)
    fault = WeighbridgeError("Weighbridge failed on this request. The service's own log has the details.")
    return _error(request, 500, fault.to_openai(), {})


def _error(request: Request, status: int, body: dict[str, Any], headers: Mapping[str, str]) -> Response:
    if request.url.path.startswith("/v1/messages") or _ANTHROPIC_HEADER in request.headers:
        body = in_anthropics_shape(status, body, headers.get(DECISION_ID_HEADER))
    content = msgspec.json.encode(body)
    return Response(content, status_code=status, media_type="application/json", headers=headers)
