"""An answer on its way out: whole or streamed, in the shape of the API that was called."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.answer import Answer
from serving.api.context import Context
from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.sse import event
from serving.refusal import DECISION_ID_HEADER
from serving.weigher import Weighing

Result = TypeVar("Result")
_DECISION_ID = DECISION_ID_HEADER.encode()
_LAST_EVENT = event(b"[DONE]")


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
    return WholeAnswer(body, _headers(answer))


class WholeAnswer(Response):
    """An answer whose headers are written as they are sent, once: the framework's way there takes longer."""

    def __init__(self, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            *headers,
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]


class StreamedAnswer(Response):
    """Sends events as they come; a caller who leaves ends the provider's side at once."""

    def __init__(self, answer: Answer, wire: Wire, presence: Presence) -> None:
        self.status_code = 200
        self.background = None
        # the length of a stream is not known
        self.raw_headers = [
            *_headers(answer),
            (b"cache-control", b"no-cache"),
            (b"content-type", b"text/event-stream; charset=utf-8"),
        ]
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
        ended = False
        try:
            async for events in self._answer.events():
                ended = events.endswith(_LAST_EVENT)
                piece = self._wire.piece(events)
                if piece or ended:
                    # the last piece and the end of the body are one write
                    await send({"type": "http.response.body", "body": piece, "more_body": not ended})
        except ProviderError as error:
            self._answer.failed(error)
            await send({"type": "http.response.body", "body": self._wire.failure(error), "more_body": False})
            return
        if not ended:
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


def _headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    decision = answer.decided.decision
    prediction = decision.prediction
    headers = [
        (_DECISION_ID, _told(decision.request.decision_id)),
        (b"x-weighbridge-deployment", _told(answer.deployment)),
        (b"x-weighbridge-required-tier", _told(prediction.required_tier)),
        (b"x-weighbridge-reason", _told(decision.reason)),
        (b"x-weighbridge-attempts", b"%d" % len(answer.attempts)),
        (b"x-weighbridge-decide-ms", b"%.3f" % answer.decided.decide_ms),
    ]
    row = next((row for row in decision.ranking if row.deployment == answer.deployment), None)
    if row is not None:
        headers.append((b"x-weighbridge-tier", _told(row.tier)))
        if row.token_cost_usd is not None:
            headers.append((b"x-weighbridge-expected-cost-usd", b"%.8f" % row.token_cost_usd))
    return headers


def _told(text: str) -> bytes:
    return text.encode("latin-1")
