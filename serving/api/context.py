"""What every handler needs, built once by `create_app` and carried on the application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from starlette.requests import Request

from serving.api import body
from serving.api.asked import Asked, given_in
from serving.api.auth import Keys
from serving.deadlines import Deadlines
from serving.gateway import Gateway
from serving.weigher import Weighing

# From here on a body's text is not looked at on the event loop: about 10 ms.
LARGE_BODY_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Context:
    """The gateway and the wire's own settings."""

    gateway: Gateway
    keys: Keys
    max_body_bytes: int
    body_timeout_s: float
    log_text: bool
    deadlines: Deadlines = field(default_factory=Deadlines)

    async def admit(self, request: Request) -> tuple[bytes, Asked]:
        """Check the caller's key, then read the body within its limit; return it with what else is asked."""
        caller = self.keys.check(request)
        raw = await body.read(request, self.max_body_bytes, self.body_timeout_s, self.deadlines)
        return raw, Asked(caller, given_in(request.scope["headers"]))

    async def weighing(self, raw: bytes, of: Callable[[], Weighing]) -> Weighing:
        """Return what `of` makes of a body; a large one is counted and searched in a thread of its own.

        Counting and searching megabytes takes a second, in which nobody else would be answered.
        """
        if len(raw) < LARGE_BODY_BYTES:
            return of()
        return await asyncio.to_thread(lambda: self.gateway.weigher.screened(of()))


def context_of(request: Request) -> Context:
    """Return the context of the application that serves this request."""
    return cast(Context, request.app.state.context)
