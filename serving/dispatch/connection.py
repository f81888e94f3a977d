"""The one way out to providers: a shared session, its limits, and what may cross it in either direction.

Out go the headers named here and no others: nothing of the caller's travels. Back come a status, a body and
how long to wait. Redirects are not followed, for they could carry key and prompt to another host, and nothing
is decompressed, for a small answer could become a large one.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from serving.deadlines import Deadlines
from serving.dispatch.adapter import ProviderError
from serving.dispatch.failures import from_event, from_status
from serving.dispatch.sse import EventSplitter, EventTooLarge

# A whole answer longer than this is refused rather than held in memory.
MAX_ANSWER_BYTES = 32_000_000
# How long a finished stream may take to end properly, so that its connection can be used again.
_ENDING_S = 0.1
_ALWAYS = {"content-type": "application/json", "accept-encoding": "identity", "user-agent": "weighbridge"}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a provider may take: to connect, to send its first byte, and between two pieces.

    Comments that keep a stream alive count as pieces, but for no longer than a first byte may take.
    """

    connect_ms: float = 5_000
    first_byte_ms: float = 60_000
    idle_ms: float = 60_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request to a provider; `key` is what must never come back in a message."""

    url: str
    body: bytes
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Connection:
    """One session for all providers; opened at the first request, closed once."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._deadlines = Deadlines()
        self._session: aiohttp.ClientSession | None = None

    async def whole(self, outgoing: Outgoing) -> bytes:
        """Return the body of an answer; raise ProviderError for any status but 200."""
        try:
            response = await self._post(outgoing)
            return await self._accepted(response, outgoing)
        except FAILURES as error:
            raise failure(error) from error

    async def stream(self, outgoing: Outgoing, end_s: float = math.inf) -> Events:
        """Return the events once the provider has accepted the call; `end_s` is when all of them are due."""
        due_s = time.perf_counter() + self._timeouts.first_byte_ms / 1000.0
        try:
            response = await self._post(outgoing)
            if response.status == 200 and response.content_type != "application/json":
                try:
                    _refuse_encoded(response)
                except ProviderError:
                    response.close()
                    raise
                return Events(response, self._timeouts, self._deadlines, due_s=due_s, end_s=end_s)
            body = await self._accepted(response, outgoing)
        except FAILURES as error:
            raise failure(error) from error
        raise from_event(body, key=outgoing.key) or ProviderError(
            "upstream", "The provider answered without streaming.", status=502, retryable=True
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, outgoing: Outgoing) -> aiohttp.ClientResponse:
        headers = _ALWAYS | dict(outgoing.headers)
        with self._deadlines.within(self._timeouts.first_byte_ms / 1000.0):
            return await self._opened().post(
                outgoing.url, data=outgoing.body, headers=headers, allow_redirects=False
            )

    async def _accepted(self, response: aiohttp.ClientResponse, outgoing: Outgoing) -> bytes:
        async with response:
            if response.status == 200:
                _refuse_encoded(response)
            body = await self._read(response)
        if response.status != 200:
            raise from_status(response.status, response.headers, body, key=outgoing.key)
        return body

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while True:
            piece = await _next_piece(response.content, self._deadlines, self._timeouts.idle_ms / 1000.0)
            if not piece:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            length += len(piece)
            if length > MAX_ANSWER_BYTES:
                raise ProviderError(
                    "upstream", "The provider's answer is too long to be held.", retryable=True
                )
            pieces.append(piece)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect_ms / 1000.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


class Events:
    """A provider's server-sent events as they come.

    `due_s` is when the first must have come, `end_s` the last.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        timeouts: Timeouts,
        deadlines: Deadlines,
        *,
        due_s: float,
        end_s: float = math.inf,
    ) -> None:
        self.ended = False
        self._response = response
        self._deadlines = deadlines
        self._silence_s = max(timeouts.first_byte_ms, timeouts.idle_ms) / 1000.0
        self._idle_s = timeouts.idle_ms / 1000.0
        self._due_s = due_s
        self._end_s = end_s
        self._begun = False
        self._splitter = EventSplitter()

    @property
    def plain(self) -> bytes | None:
        """Return what came last where it can be sent on as it is; see EventSplitter."""
        return self._splitter.plain

    async def next(self) -> list[bytes]:
        """Return the data of the events in the next piece, maybe none; note when there will be no more."""
        left_s = min(self._due_s, self._end_s) - time.perf_counter()
        try:
            most_s = min(left_s, self._idle_s) if self._begun else left_s
            piece = await _next_piece(self._response.content, self._deadlines, most_s)
            self.ended = not piece
            found = self._splitter.feed(piece) if piece else self._splitter.end()
        except (aiohttp.ClientError, OSError, EventTooLarge) as error:
            self.ended = True
            raise failure(error) from error
        if found:
            self._begun = True
            self._due_s = time.perf_counter() + self._silence_s
        return found

    async def close(self, *, finished: bool) -> None:
        """Give the connection back where the stream has ended; else drop it, which stops the provider."""
        if finished and not self._response.content.at_eof():
            failed = contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError)
            with failed, self._deadlines.within(_ENDING_S):
                await self._response.content.readany()
        self._response.close()


# Every way a connection can fail.
FAILURES = (aiohttp.ClientError, OSError, TimeoutError)


def _refuse_encoded(response: aiohttp.ClientResponse) -> None:
    """Refuse an answer that is compressed although that was not asked for: nobody knows its true size."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise ProviderError(
            "upstream", f"The provider's answer is encoded ({encoding[:40]}), which was not asked for.",
            status=502, retryable=True,
        )  # fmt: skip


def failure(error: Exception) -> ProviderError:
    """Return what a broken connection or a passed deadline means."""
    unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    if isinstance(error, TimeoutError):
        return ProviderError("timeout", "The provider took too long.", retryable=True, unsent=unsent)
    told = f"The provider could not be reached or broke off: {type(error).__name__}."
    return ProviderError("upstream", told, retryable=True, unsent=unsent)


async def _next_piece(content: aiohttp.StreamReader, deadlines: Deadlines, timeout_s: float) -> bytes:
    """Return what has come, or wait for it; empty at the end. What is there already needs no clock."""
    piece = content.read_nowait()
    if piece or content.is_eof():
        return piece
    with deadlines.within(timeout_s):
        return await content.readany()
