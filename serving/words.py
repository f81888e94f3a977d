"""The words that a request may use for what it needs; one that nobody knows is refused, with the closest."""

from __future__ import annotations

from collections.abc import Iterable

from serving.errors import InvalidRequest
from serving.routing.catalog import RETENTION_TAG
from serving.settings.vocabulary import CAPABILITIES, COMPLIANCE_TAGS, OWN_TAG_PREFIX, did_you_mean

_KNOWN_TAGS = frozenset(COMPLIANCE_TAGS)
_KNOWN_CAPABILITIES = frozenset(CAPABILITIES)
_LONGEST_SHOWN = 60


def check_tags(tags: Iterable[str]) -> None:
    """Raise InvalidRequest for a compliance tag that no deployment could ever have."""
    for tag in tags:
        if tag in _KNOWN_TAGS or (tag.startswith(OWN_TAG_PREFIX) and len(tag) > len(OWN_TAG_PREFIX)):
            continue
        if not _is_retention(tag):
            raise InvalidRequest(
                f"compliance: {tag[:_LONGEST_SHOWN]!r} is not known. {did_you_mean(tag, COMPLIANCE_TAGS)} "
                f"How long prompts may be kept is asked as '{RETENTION_TAG}<=30'; "
                f"a tag of your own starts with {OWN_TAG_PREFIX!r}.",
                param="compliance",
            )


def check_capabilities(capabilities: Iterable[str]) -> None:
    """Raise InvalidRequest for a capability that no deployment could ever state."""
    for word in capabilities:
        if word not in _KNOWN_CAPABILITIES:
            raise InvalidRequest(
                f"capabilities: {word[:_LONGEST_SHOWN]!r} is not known. {did_you_mean(word, CAPABILITIES)}",
                param="capabilities",
            )


def _is_retention(tag: str) -> bool:
    name, sign, days = tag.partition("<=")
    return name == RETENTION_TAG and bool(sign) and days.isascii() and days.isdigit()
