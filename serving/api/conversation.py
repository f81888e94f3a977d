"""Which conversation a request belongs to: as the caller says, or by how it began."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from serving.api.schemas import Message
from serving.routing.request import Caller

# Of each message that a conversation is known by; more says no more.
_HEAD_CHARS = 4_000


def conversation_key(messages: Sequence[Message], named: str | None, caller: Caller | None) -> str:
    """Return a digest of the caller and either the given name, or all up to the first user message.

    It is logged only with the prompt or its vectors.
    """
    digest = hashlib.blake2b((caller.name if caller else "").encode("utf-8", "replace"), digest_size=16)
    for text in [f"name {named}"] if named else _beginning(messages):
        digest.update(f"\0{len(text)} {text[:_HEAD_CHARS]}".encode("utf-8", "replace"))
    return digest.hexdigest()


def goes_on(messages: Sequence[Message], named: str | None) -> bool:
    """Tell whether there may have been a turn before this one."""
    return named is not None or any(message.role == "assistant" for message in messages)


def _beginning(messages: Sequence[Message]) -> list[str]:
    texts: list[str] = []
    for message in messages:
        content = message.content
        if isinstance(content, list):
            content = "\n".join(part.text or part.type for part in content)
        texts.append(f"{message.role} {content or ''}")
        if message.role == "user":
            break
    return texts
