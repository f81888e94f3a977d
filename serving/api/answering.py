"""An answer on its way out: whole or streamed, in the shape of the API that was called."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.answer import Answer
from serving.api.context import Context
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.refusal import DECISION_ID_HEADER
from serving.weigher import Weighing

Result = TypeVar("Result")


class Wire(Protocol):
    """How one API writes an answer; one object per request, told of each piece in turn."""

    def whole(self, body: bytes, decision_id: str) -> bytes:
        """Return a whole chat completion in this API's shape."""

    def begin(self, decision_id: str) -> None:
        """Take in the id of the decision that the stream follows."""

    def piece(self, events: bytes) -> bytes:
        """Return what whole events of a chat completion's stream become, maybe nothing yet."""

    def failure(self, error: ProviderError) -> bytes:
        """Return the end of a stream that broke in the middle."""


async def answered(
    request: Request, context: Context, weighing: Weighing, call: Call, wire: Wire
) -> Response:
    """Dispatch, and return the answer as the wire writes it; a caller who leaves ends the work."""
    presence = Presence(request.receive)
    try:
        answer = await presence.unless_gone(context.gateway.chat(weighing, call))
    except BaseException:
        presence.forget()
        raise
    if answer is not None and answer.whole is None:
        return StreamedAnswer(answer, wire, presence)
    presence.forget()
    if answer is None or answer.whole is None:
        return Response(status_code=499)
    body = wire.whole(answer.whole.body, answer.decided.decision.request.decision_id)
    return Response(body, media_type="application/json", headers=_headers(answer))


class StreamedAnswer(Response):
    """Sends events as they come; a caller who leaves ends the provider's side at once."""

    media_type = "text/event-stream"

    def __init__(self, answer: Answer, wire: Wire, presence: Presence) -> None:
        super().__init__(headers=_headers(answer) | {"cache-control": "no-cache"})
        # the length of a stream is not known
        self.raw_headers = [row for row in self.raw_headers if row[0] != b"content-length"]
        self._answer = answer
        self._wire = wire
        self._presence = presence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, or as much of it as the caller stays for."""
        try:
            await self._presence.unless_gone(self._send(send))
        except BaseException:
            await asyncio.shield(self._answer.close())
            raise
        finally:
            self._presence.forget()
        await self._answer.close()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self._wire.begin(self._answer.decided.decision.request.decision_id)
        try:
            async for events in self._answer.events():
                if piece := self._wire.piece(events):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except ProviderError as error:
            self._answer.failed(error)
            end = self._wire.failure(error)
            await send({"type": "http.response.body", "body": end, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Presence:
    """Whether the caller of one request is still there; work for one who hangs up is cancelled."""

    def __init__(self, receive: Receive) -> None:
        self._working: asyncio.Task[object] | None = None
        self._leaving = asyncio.ensure_future(_gone(receive))
        self._leaving.add_done_callback(self._left)

    def is_gone(self) -> bool:
        """Tell whether the caller has hung up."""
        return self._leaving.done() and not self._leaving.cancelled()

    async def unless_gone(self, work: Coroutine[object, object, Result]) -> Result | None:
        """Return what the work returns, or None after cancelling it because the caller hung up.

        The work is part of the task that waits for it, so that it is cancelled where it stands.
        """
        if self.is_gone():
            work.close()
            return None
        task = self._working = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            # the server may cancel as well, and is not to be kept from it
            if self.is_gone() and task is not None and task.uncancel() == 0:
                return None
            raise
        finally:
            self._working = None

    def forget(self) -> None:
        """Look no longer."""
        self._leaving.remove_done_callback(self._left)
        self._leaving.cancel()

    def _left(self, leaving: asyncio.Future[None]) -> None:
        if self.is_gone() and self._working is not None:
            leaving.exception()
            self._working.cancel()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _headers(answer: Answer) -> dict[str, str]:
    decision = answer.decided.decision
    prediction = decision.prediction
    headers: dict[str, Any] = {
        DECISION_ID_HEADER: decision.request.decision_id,
        "x-weighbridge-deployment": answer.deployment,
        "x-weighbridge-required-tier": prediction.required_tier,
        "x-weighbridge-reason": decision.reason,
        "x-weighbridge-attempts": len(answer.attempts),
        "x-weighbridge-decide-ms": f"{answer.decided.decide_ms:.3f}",
    }
    row = next((row for row in decision.ranking if row.deployment == answer.deployment), None)
    if row is not None:
        headers["x-weighbridge-tier"] = row.tier
        if row.token_cost_usd is not None:
            headers["x-weighbridge-expected-cost-usd"] = f"{row.token_cost_usd:.8f}"
    return {name: str(value) for name, value in headers.items()}
