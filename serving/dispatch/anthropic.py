"""Anthropic's Messages API: platform.claude.com/docs/en/api/messages (types as of its Python SDK 2.13)."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.dispatch import anthropic_answer, anthropic_request
from serving.dispatch.connection import Outgoing
from serving.dispatch.conversation import Conversation
from serving.dispatch.native import Answer, Reader
from serving.dispatch.signatures import Signatures
from serving.routing.catalog import Deployment

# platform.claude.com/docs/en/api/versioning: the only version there is
_VERSION = "2023-06-01"


class Anthropic:
    """Translates to `{base_url}/messages` and back; `base_url` ends in `/v1`."""

    def __init__(self) -> None:
        self._signatures = Signatures()

    def outgoing(
        self, deployment: Deployment, conversation: Conversation, key: str | None, *, stream: bool
    ) -> Outgoing:
        """Return the request; raise ProviderError for what the API cannot do."""
        body = anthropic_request.body(deployment, conversation, self._signatures)
        if stream:
            body["stream"] = True
        headers = {"anthropic-version": _VERSION} | ({"x-api-key": key} if key else {})
        return Outgoing(f"{deployment.base_url}/messages", msgspec.json.encode(body), key, headers)

    def answer(self, found: dict[str, Any], conversation: Conversation) -> Answer:
        """Return what a whole answer says."""
        return anthropic_answer.answer(found, conversation, self._signatures)

    def reader(self, conversation: Conversation) -> Reader:
        """Return what reads a stream."""
        return anthropic_answer.StreamReader(conversation, self._signatures)
