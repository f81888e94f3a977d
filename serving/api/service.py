"""The application: FastAPI, with a short way past its layers for the endpoints that carry the traffic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.api.rendering import rendered

Endpoint = Callable[[Request], Awaitable[Response]]


class Service(FastAPI):
    """Answers `direct` endpoints (path → handler of POST) itself; whatever else comes goes FastAPI's way.

    The eight layers of FastAPI and Starlette took a tenth of a request, and do nothing for handlers that read
    raw bytes and whose errors `rendering` writes.
    """

    def __init__(self, *, direct: Mapping[str, Endpoint], **how: Any) -> None:
        super().__init__(**how)
        self._direct = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self._direct.get(scope["path"]) if is_post else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except Exception as error:
            response = rendered(request, error)
        await response(scope, receive, send)
