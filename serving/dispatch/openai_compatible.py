"""Every provider that speaks OpenAI's protocol: bytes pass through, only what must change is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from serving.dispatch.completion import Call, Stream, Whole
from serving.dispatch.connection import Connection, Outgoing
from serving.dispatch.dialects import DIALECTS, Dialect, adapted
from serving.dispatch.openai_wire import seen_usage, usage_of
from serving.dispatch.passed_through import PassedThrough
from serving.routing.catalog import Deployment

# Ours, not the provider's.
_OWN_FIELDS = ("weighbridge",)
_PLAIN = DIALECTS["plain"]


class OpenAICompatible:
    """Sends calls to `{base_url}/chat/completions` and `{base_url}/embeddings`.

    `keys` maps the names of environment variables to the keys they held at start.
    """

    def __init__(self, keys: Mapping[str, str], connection: Connection) -> None:
        self._keys = keys
        self._connection = connection

    async def complete(self, deployment: Deployment, call: Call) -> Whole:
        """Return the provider's body as it came; raise ProviderError for what is not an answer."""
        outgoing = self._outgoing(deployment, call, "/chat/completions")
        body = await self._connection.whole(outgoing)
        return Whole(body, usage_of(body, outgoing.key))

    async def embed(self, deployment: Deployment, call: Call) -> Whole:
        """Return the provider's vectors as they came; there are no output tokens to pay."""
        outgoing = self._outgoing(deployment, call, "/embeddings")
        body = await self._connection.whole(outgoing)
        return Whole(body, replace(seen_usage(body, outgoing.key), output_tokens=0))

    async def stream(self, deployment: Deployment, call: Call) -> Stream:
        """Return the stream once the provider has accepted the call."""
        outgoing = self._outgoing(deployment, call, "/chat/completions")
        events = await self._connection.stream(outgoing, call.due_s)
        return PassedThrough(events, call, key=outgoing.key)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    def _outgoing(self, deployment: Deployment, call: Call, path: str) -> Outgoing:
        key = self._keys.get(deployment.api_key_env) if deployment.api_key_env else None
        dialect = DIALECTS[deployment.dialect or "plain"]
        headers: dict[str, str] = {}
        if key:
            bearer = dialect.key_header == "authorization"
            headers[dialect.key_header] = f"Bearer {key}" if bearer else key
        body = msgspec.json.encode(_body(deployment, call, dialect))
        return Outgoing(f"{deployment.base_url}{path}", body, key, headers)


def _body(deployment: Deployment, call: Call, dialect: Dialect) -> dict[str, Any]:
    body = {name: value for name, value in call.body.items() if name not in _OWN_FIELDS}
    if dialect is not _PLAIN:
        body = adapted(body, dialect)
    body["model"] = deployment.model
    if not dialect.stream_options:
        body.pop("stream_options", None)
    elif call.stream:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    return body
