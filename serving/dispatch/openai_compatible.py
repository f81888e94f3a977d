"""Every provider that speaks OpenAI's protocol: bytes pass through, only what must change is touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call, Stream, Whole
from serving.dispatch.failures import from_event, from_status, redacted
from serving.dispatch.sse import EventSplitter, EventTooLarge, event
from serving.records import Usage
from serving.routing.catalog import Deployment

# A whole answer longer than this is refused rather than held in memory.
MAX_ANSWER_BYTES = 32_000_000

# Ours, not the provider's.
_OWN_FIELDS = ("weighbridge",)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a provider may take: to connect, to send its first byte, and between two pieces."""

    connect_ms: float = 5_000
    first_byte_ms: float = 60_000
    idle_ms: float = 60_000


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Answer(msgspec.Struct):
    choices: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    usage: _Usage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
# walks over the JSON without building anything
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)


class OpenAICompatible:
    """Sends calls to `{base_url}/chat/completions` over one shared session.

    `keys` maps the names of environment variables to the keys they held at start.
    """

    def __init__(self, keys: Mapping[str, str], timeouts: Timeouts) -> None:
        self._keys = keys
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, deployment: Deployment, call: Call) -> Whole:
        """Return the provider's body as it came; raise ProviderError for what is not an answer."""
        key = self._key(deployment)
        try:
            async with asyncio.timeout(self._timeouts.first_byte_ms / 1000.0):
                response = await self._post(deployment, call, key)
                async with response:
                    body = await _read(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(error, key) from error
        if response.status != 200:
            raise from_status(response.status, response.headers, body, key=key)
        return Whole(body, _usage_of(body))

    async def stream(self, deployment: Deployment, call: Call) -> Stream:
        """Return the stream once the provider has accepted the call."""
        key = self._key(deployment)
        try:
            async with asyncio.timeout(self._timeouts.first_byte_ms / 1000.0):
                response = await self._post(deployment, call, key)
                if response.status != 200:
                    async with response:
                        body = await _read(response)
                    raise from_status(response.status, response.headers, body, key=key)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _unreachable(error, key) from error
        return _PassedThrough(response, call.wants_usage, self._timeouts.idle_ms / 1000.0, key)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _key(self, deployment: Deployment) -> str | None:
        return self._keys.get(deployment.api_key_env) if deployment.api_key_env else None

    async def _post(self, deployment: Deployment, call: Call, key: str | None) -> aiohttp.ClientResponse:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        return await self._opened().post(
            f"{deployment.base_url}/chat/completions",
            data=msgspec.json.encode(_outgoing(deployment, call)),
            headers=headers,
            # a redirect could carry the key and the prompt to another host
            allow_redirects=False,
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeouts.connect_ms / 1000.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


class _PassedThrough:
    """A provider's stream: every event goes on as it came, usage is read on the way."""

    def __init__(
        self, response: aiohttp.ClientResponse, wants_usage: bool, idle_s: float, key: str | None
    ) -> None:
        self.usage = Usage()
        self._response = response
        self._wants_usage = wants_usage
        self._idle_s = idle_s
        self._key = key
        self._finished = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        splitter = EventSplitter()
        try:
            while piece := await self._next_piece():
                for data in splitter.feed(piece):
                    passed = self._pass(data)
                    if passed is not None:
                        yield passed
            for data in splitter.end():
                passed = self._pass(data)
                if passed is not None:
                    yield passed
        except (aiohttp.ClientError, OSError, TimeoutError, EventTooLarge) as error:
            raise _unreachable(error, self._key) from error
        if not self._finished:
            raise ProviderError("upstream", "The provider's stream ended in the middle.", retryable=True)
        yield event(b"[DONE]")

    async def close(self) -> None:
        """Drop the connection; where the stream has ended it goes back to the pool."""
        self._response.close()

    async def _next_piece(self) -> bytes:
        async with asyncio.timeout(self._idle_s):
            return await self._response.content.readany()

    def _pass(self, data: bytes) -> bytes | None:
        """Return the event to send on, or None where the caller must not see it."""
        if data == b"[DONE]":
            self._finished = True
            return None
        if data.startswith(b'{"error"') or (b'"error"' in data and b'"choices"' not in data):
            error = from_event(data, key=self._key)
            if error is not None:
                raise error
        if b'"finish_reason":"' in data or b'"finish_reason": "' in data:
            self._finished = True
        if b'"usage"' in data and self._is_usage_only(data) and not self._wants_usage:
            return None
        _check_syntax(data)
        return event(data)

    def _is_usage_only(self, data: bytes) -> bool:
        """Take in the usage of a chunk; tell whether the chunk holds nothing else."""
        chunk = _decoded(data)
        if chunk.usage is not None:
            self.usage = _usage(chunk.usage)
        return chunk.usage is not None and not chunk.choices


def _outgoing(deployment: Deployment, call: Call) -> dict[str, Any]:
    body = {name: value for name, value in call.body.items() if name not in _OWN_FIELDS}
    body["model"] = deployment.model
    if call.stream:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body


async def _read(response: aiohttp.ClientResponse) -> bytes:
    pieces, length = [], 0
    while piece := await response.content.readany():
        length += len(piece)
        if length > MAX_ANSWER_BYTES:
            raise ProviderError("upstream", "The provider's answer is too long to be held.", retryable=True)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _usage_of(body: bytes) -> Usage:
    answer = _decoded(body)
    if answer.choices is msgspec.UNSET:
        raise ProviderError("upstream", "The provider's answer has no choices.", status=502, retryable=True)
    return _usage(answer.usage) if answer.usage else Usage()


def _decoded(data: bytes) -> _Answer:
    try:
        return _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderError(
            "upstream", "The provider's answer is not in OpenAI's format.", status=502, retryable=True
        ) from error


def _check_syntax(data: bytes) -> None:
    try:
        _SYNTAX.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProviderError(
            "upstream", "The provider sent a chunk that is not JSON.", retryable=True
        ) from error


def _usage(found: _Usage) -> Usage:
    details = found.prompt_tokens_details
    return Usage(found.prompt_tokens, found.completion_tokens, details.cached_tokens if details else None)


def _unreachable(error: Exception, key: str | None) -> ProviderError:
    if isinstance(error, TimeoutError):
        return ProviderError("timeout", "The provider took too long.", retryable=True)
    told = redacted(f"The provider could not be reached or broke off: {type(error).__name__}.", key)
    return ProviderError("upstream", told, retryable=True)
