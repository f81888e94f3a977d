"""`[[rules]]`: their shape in the file, and the rulebook that they come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_core import SchemaError, SchemaValidator, core_schema

from serving.routing.catalog import Catalog
from serving.routing.language import LANGUAGES
from serving.routing.request import NO_LIMITS
from serving.routing.rules import Matcher, Rule, Rulebook, When
from serving.settings.limits import Label, LimitsSettings, limits_of
from serving.settings.section import Section, Tier, Tokens, Words, known_word

# Patterns that are asked together before each is asked alone.
_GROUP = 50
_VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
_SINGLE_WORD = re.compile(r"\w+")


class WhenSettings(Section):
    """What a rule asks: all that is given must hold, and of a list one of its values."""

    words: Words = ()
    regex: Annotated[str, Field(min_length=1, max_length=2_000)] | None = None
    callers: Words = ()
    user_tiers: Words = ()
    required_tiers: Annotated[tuple[Tier, ...], Field(strict=False)] = ()
    languages: Words = ()
    metadata: dict[str, str] = Field(default_factory=dict)
    tools: bool | None = None
    min_input_tokens: Tokens | None = None
    max_input_tokens: Tokens | None = None
    _matches: Matcher | None = PrivateAttr(None)

    @field_validator("words")
    @classmethod
    def _say_something(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if any(not word.strip() for word in words):
            raise ValueError("holds an empty word; take it out")
        return words

    @field_validator("languages")
    @classmethod
    def _are_languages(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(known_word(word, LANGUAGES) for word in words)

    @model_validator(mode="after")
    def _can_hold(self) -> WhenSettings:
        low, high = self.min_input_tokens, self.max_input_tokens
        if low is not None and high is not None and low > high:
            raise ValueError(
                f"min_input_tokens {low} is above max_input_tokens {high}: no prompt is. Change one"
            )
        # compiled once, here, where a bad one is told with its rule
        self._matches = None if self.regex is None else matcher(self.regex)
        return self

    @property
    def matches(self) -> Matcher | None:
        """Return whether a text holds a match of the regex; None where none is asked for."""
        return self._matches


class ThenSettings(LimitsSettings):
    """What a rule does: the limits, and what only a rule can say."""

    needs: Tier | None = None
    control_group: bool = True
    exploration: bool = True
    stop: bool = False


class RuleSettings(Section):
    """One `[[rules]]` row."""

    name: Label
    when: WhenSettings = WhenSettings()
    then: ThenSettings


def matcher(pattern: str) -> Matcher:
    """Return whether a text holds a match; raise ValueError on a pattern that cannot be used.

    The engine is Rust's `regex`, which pydantic brings along: its time grows with the text alone, whatever
    the pattern, at the price of look-around and back-references.
    """
    try:
        schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
        return SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        reason = " ".join(line.strip() for line in str(error).splitlines() if "error:" in line)
        hint = "Look-around and back-references are not supported, since they can take forever"
        raise ValueError(
            f"regex {pattern!r} is no pattern that can be used ({reason or 'too large'}). {hint}"
        ) from None


def build_rules(rows: Sequence[RuleSettings], catalog: Catalog) -> Rulebook:
    """Return the rules of the settings, in their order."""
    return Rulebook([_rule(row, catalog) for row in rows], list(_groups(rows)))


def _rule(row: RuleSettings, catalog: Catalog) -> Rule:
    limits = limits_of(row.then, catalog)
    return Rule(
        name=row.name,
        when=_when(row.when),
        limits=NO_LIMITS if limits == NO_LIMITS else limits,
        needs=row.then.needs,
        in_control_group=row.then.control_group,
        may_explore=row.then.exploration,
        stop=row.then.stop,
    )


def _when(asked: WhenSettings) -> When:
    words = [word.strip().lower() for word in asked.words]
    # ideographs are written without spaces: they are found as parts of the text
    single = [word for word in words if _SINGLE_WORD.fullmatch(word) and not _is_unspaced(word)]
    return When(
        words=frozenset(single),
        phrases=tuple(word for word in words if word not in single),
        matches=asked.matches,
        callers=frozenset(asked.callers),
        user_tiers=frozenset(asked.user_tiers),
        required_tiers=frozenset(asked.required_tiers),
        languages=frozenset(asked.languages),
        metadata=tuple(sorted(asked.metadata.items())),
        has_tools=asked.tools,
        min_input_tokens=asked.min_input_tokens or 0,
        max_input_tokens=asked.max_input_tokens,
    )


def _is_unspaced(word: str) -> bool:
    return any("\u0e00" <= letter <= "\u0e7f" or "\u3040" <= letter <= "\u9fff" for letter in word)


def _groups(rows: Sequence[RuleSettings]) -> Iterator[tuple[Matcher, tuple[int, ...]]]:
    patterns = [
        (place, row.when.regex)
        for place, row in enumerate(rows)
        # in verbose mode a comment could swallow what joins it to the next
        if row.when.regex is not None and not _VERBOSE.search(row.when.regex)
    ]
    for start in range(0, len(patterns), _GROUP):
        group = patterns[start : start + _GROUP]
        try:
            together = matcher("|".join(f"(?:{pattern})" for _, pattern in group))
        except ValueError:
            # too large together, or a name used twice: each is asked alone
            continue
        yield together, tuple(place for place, _ in group)
