"""What every handler needs, built once by `create_app` and carried on the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from serving.api import body
from serving.api.auth import Keys
from serving.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Context:
    """The gateway and the wire's own settings."""

    gateway: Gateway
    keys: Keys
    max_body_bytes: int
    log_text: bool

    async def admit(self, request: Request) -> bytes:
        """Check the caller's key, then read the body within its limit."""
        self.keys.check(request)
        return await body.read(request, self.max_body_bytes)


def context_of(request: Request) -> Context:
    """Return the context of the application that serves this request."""
    return cast(Context, request.app.state.context)
