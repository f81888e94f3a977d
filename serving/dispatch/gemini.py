"""Google's Gemini API: ai.google.dev/api/generate-content (types as of its Python SDK 3.6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from serving.dispatch import gemini_answer, gemini_request
from serving.dispatch.connection import Outgoing
from serving.dispatch.conversation import Conversation
from serving.dispatch.native import Answer, Reader
from serving.dispatch.signatures import Signatures
from serving.routing.catalog import Deployment


class Gemini:
    """Translates to `{base_url}/models/{model}:generateContent` and back; `base_url` ends in `/v1beta`."""

    def __init__(self) -> None:
        self._signatures = Signatures()

    def outgoing(
        self, deployment: Deployment, conversation: Conversation, key: str | None, *, stream: bool
    ) -> Outgoing:
        """Return the request; raise ProviderError for what the API cannot do."""
        body = gemini_request.body(deployment, conversation, self._signatures)
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return Outgoing(
            f"{deployment.base_url}/models/{quote(deployment.model, safe='')}:{method}",
            msgspec.json.encode(body),
            key,
            # in a header, never in the address, which ends up in logs
            {"x-goog-api-key": key} if key else {},
        )

    def answer(self, found: dict[str, Any], conversation: Conversation) -> Answer:
        """Return what a whole answer says."""
        return gemini_answer.answer(found, self._signatures)

    def reader(self, conversation: Conversation) -> Reader:
        """Return what reads a stream."""
        return gemini_answer.StreamReader(conversation.answers, self._signatures)
