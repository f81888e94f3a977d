"""What every part of the settings is made of: strict tables, and values with their bounds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationInfo

from serving.settings.vocabulary import CAPABILITIES, COMPLIANCE_TAGS, OWN_TAG_PREFIX, did_you_mean

Share = Annotated[float, Field(ge=0, le=1)]
Dollars = Annotated[float, Field(ge=0)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000_000)]
Milliseconds = Annotated[int, Field(ge=1, le=86_400_000)]
Words = Annotated[tuple[str, ...], Strict(False)]

_RETENTION = re.compile(r"retention_days<=[0-9]{1,6}")
_ENVIRONMENT_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


class Section(BaseModel):
    """A table that refuses keys it does not know, and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def environment_name(name: str) -> str:
    """Return the name if it can be one of an environment variable; it may be a key by mistake."""
    if not _ENVIRONMENT_NAME.fullmatch(name):
        raise ValueError(
            "must be the name of an environment variable in capitals, e.g. OPENAI_API_KEY, not the key itself"
        )
    return name


def known_word(word: str, known: tuple[str, ...], more: str = "") -> str:
    if word not in known:
        raise ValueError(f"{word!r} is not known. {did_you_mean(word, known)} {more}".rstrip())
    return word


def tiers_of(info: ValidationInfo) -> tuple[str, ...]:
    return tuple((info.context or {}).get("tiers", ()))


def _capabilities(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(known_word(word, CAPABILITIES) for word in words)


def _tags(words: tuple[str, ...]) -> tuple[str, ...]:
    own = f"A tag of your own starts with {OWN_TAG_PREFIX!r}."
    return tuple(
        word
        if word.startswith(OWN_TAG_PREFIX) and len(word) > len(OWN_TAG_PREFIX)
        else known_word(word, COMPLIANCE_TAGS, own)
        for word in words
    )


def _needed(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return tags that may be required: how long prompts are kept as well, which a row states in days."""
    return tuple(word if _RETENTION.fullmatch(word) else _tags((word,))[0] for word in words)


def _tier(tier: str, info: ValidationInfo) -> str:
    return known_word(tier, tiers_of(info))


Capabilities = Annotated[Words, AfterValidator(_capabilities)]
Tags = Annotated[Words, AfterValidator(_tags)]
NeededTags = Annotated[Words, AfterValidator(_needed)]
Tier = Annotated[str, AfterValidator(_tier)]
