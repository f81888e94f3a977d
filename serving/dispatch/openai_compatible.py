"""Every provider that speaks OpenAI's protocol: bytes pass through, only what must change is touched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import msgspec

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call, Stream, Whole
from serving.dispatch.failures import from_event, from_status
from serving.dispatch.openai_wire import seen_usage, usage_of
from serving.dispatch.passed_through import PassedThrough, Timeouts, unreachable
from serving.routing.catalog import Deployment

__all__ = ["MAX_ANSWER_BYTES", "OpenAICompatible", "Timeouts"]

# A whole answer longer than this is refused rather than held in memory.
MAX_ANSWER_BYTES = 32_000_000

# Ours, not the provider's.
_OWN_FIELDS = ("weighbridge",)


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
        body = await self._whole(deployment, "/chat/completions", _outgoing(deployment, call), key)
        return Whole(body, usage_of(body, key))

    async def embed(self, deployment: Deployment, call: Call) -> Whole:
        """Return the provider's vectors as they came; there are no output tokens to pay."""
        key = self._key(deployment)
        body = await self._whole(deployment, "/embeddings", _outgoing(deployment, call), key)
        return Whole(body, replace(seen_usage(body, key), output_tokens=0))

    async def stream(self, deployment: Deployment, call: Call) -> Stream:
        """Return the stream once the provider has accepted the call."""
        key = self._key(deployment)
        due_s = time.perf_counter() + self._timeouts.first_byte_ms / 1000.0
        with unreachable():
            async with asyncio.timeout(self._timeouts.first_byte_ms / 1000.0):
                response = await self._post(deployment, "/chat/completions", _outgoing(deployment, call), key)
            if response.status == 200 and response.content_type != "application/json":
                return PassedThrough(response, call, self._timeouts, due_s=due_s, key=key)
            async with response:
                body = await self._read(response)
        if response.status != 200:
            raise from_status(response.status, response.headers, body, key=key)
        raise from_event(body, key=key) or ProviderError(
            "upstream", "The provider answered without streaming.", status=502, retryable=True
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _key(self, deployment: Deployment) -> str | None:
        return self._keys.get(deployment.api_key_env) if deployment.api_key_env else None

    async def _whole(
        self, deployment: Deployment, path: str, outgoing: dict[str, Any], key: str | None
    ) -> bytes:
        with unreachable():
            async with asyncio.timeout(self._timeouts.first_byte_ms / 1000.0):
                response = await self._post(deployment, path, outgoing, key)
            async with response:
                body = await self._read(response)
        if response.status != 200:
            raise from_status(response.status, response.headers, body, key=key)
        return body

    async def _post(
        self, deployment: Deployment, path: str, outgoing: dict[str, Any], key: str | None
    ) -> aiohttp.ClientResponse:
        headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        return await self._opened().post(
            f"{deployment.base_url}{path}",
            data=msgspec.json.encode(outgoing),
            headers=headers,
            # a redirect could carry the key and the prompt to another host
            allow_redirects=False,
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        pieces: list[bytes] = []
        length = 0
        while True:
            async with asyncio.timeout(self._timeouts.idle_ms / 1000.0):
                piece = await response.content.readany()
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


def _outgoing(deployment: Deployment, call: Call) -> dict[str, Any]:
    body = {name: value for name, value in call.body.items() if name not in _OWN_FIELDS}
    body["model"] = deployment.model
    if call.stream:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body
