"""Rules: what a team knows of its prompts before any model does. Ordered, declarative, pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from serving.routing.language import language_of
from serving.routing.request import NO_LIMITS, Limits

# Of a text, rules read this much from its start and as much from its end.
READ_CHARS = 16_000

Matcher = Callable[[str], bool]


@dataclass(frozen=True)
class Facts:
    """What rules are asked about; what costs time is found out once, and only where a rule asks."""

    text: str = ""
    input_tokens: int = 0
    required_tier: str = ""
    caller: str | None = None
    user_tier: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    has_tools: bool = False

    @cached_property
    def read(self) -> str:
        """Return the text, or its start and end where it is long."""
        if len(self.text) <= 2 * READ_CHARS:
            return self.text
        return f"{self.text[:READ_CHARS]}\n{self.text[-READ_CHARS:]}"

    @cached_property
    def lower(self) -> str:
        """Return what is read, in small letters."""
        return self.read.lower()

    @cached_property
    def words(self) -> frozenset[str]:
        """Return the words that are read, in small letters."""
        return frozenset(re.findall(r"\w+", self.lower))

    @cached_property
    def language(self) -> str | None:
        """Return the guessed language of the text."""
        return language_of(self.read)


@dataclass(frozen=True, slots=True)
class When:
    """What a rule asks; every condition that is given must hold, and of a set one of its values.

    `words` are single words in small letters, `phrases` parts of the text in small letters; one of either.
    """

    words: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    matches: Matcher | None = None
    callers: frozenset[str] = frozenset()
    user_tiers: frozenset[str] = frozenset()
    required_tiers: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    metadata: tuple[tuple[str, str], ...] = ()
    has_tools: bool | None = None
    min_input_tokens: int = 0
    max_input_tokens: int | None = None

    def holds(self, facts: Facts) -> bool:
        """Tell whether the facts are as asked, the cheapest question first."""
        if facts.input_tokens < self.min_input_tokens:
            return False
        if self.max_input_tokens is not None and facts.input_tokens > self.max_input_tokens:
            return False
        return (
            (self.has_tools is None or facts.has_tools == self.has_tools)
            and (not self.callers or facts.caller in self.callers)
            and (not self.user_tiers or facts.user_tier in self.user_tiers)
            and (not self.required_tiers or facts.required_tier in self.required_tiers)
            and all(facts.metadata.get(name) == value for name, value in self.metadata)
            and self._reads(facts)
        )

    def _reads(self, facts: Facts) -> bool:
        if self.words or self.phrases:
            named = bool(self.words and not self.words.isdisjoint(facts.words))
            if not named and not any(phrase in facts.lower for phrase in self.phrases):
                return False
        if self.languages and facts.language not in self.languages:
            return False
        return self.matches is None or self.matches(facts.read)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the prompts that a rule matches.

    `needs` states the tier that they require, in the place of the prediction; `in_control_group` False keeps
    them out of the control group, `may_explore` False out of exploration; `stop` ends the reading of rules.
    """

    name: str
    when: When
    limits: Limits = NO_LIMITS
    needs: str | None = None
    in_control_group: bool = True
    may_explore: bool = True
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules came to: `names` of those that acted, in order."""

    names: tuple[str, ...] = ()
    limits: tuple[Limits, ...] = ()
    needs: str | None = None
    in_control_group: bool = True
    may_explore: bool = True


NO_RULING = Ruling()

_Anchor = tuple[str, object]


class Rulebook:
    """Ordered rules, indexed so that a prompt meets few of many.

    A rule waits at one of its conditions (a caller, a word, a pattern …) and is read where that holds.
    Patterns are asked in groups first: `groups` holds one matcher, true where any rule of some places
    would match, with these places.
    """

    def __init__(self, rules: Sequence[Rule], groups: Sequence[tuple[Matcher, tuple[int, ...]]] = ()) -> None:
        self.rules = tuple(rules)
        grouped = {place for _, places in groups for place in places}
        self._groups: list[tuple[Matcher, tuple[int, ...]]] = []
        self._at: dict[_Anchor, list[int]] = defaultdict(list)
        self._always: list[int] = []
        waiting: set[int] = set()
        for place, rule in enumerate(self.rules):
            anchors = list(_anchors(rule.when))
            for anchor in anchors:
                self._at[anchor].append(place)
            if not anchors and place in grouped:
                waiting.add(place)
            elif not anchors:
                self._always.append(place)
        for matcher, places in groups:
            if left := tuple(place for place in places if place in waiting):
                self._groups.append((matcher, left))
        self._reads_words = any(kind == "word" for kind, _ in self._at)

    def ruling(self, facts: Facts) -> Ruling:
        """Return what the rules say, in their order: limits add up, of the rest the first word counts."""
        if not self.rules:
            return NO_RULING
        acted: list[Rule] = []
        for place in sorted(self._met(facts)):
            rule = self.rules[place]
            if rule.when.holds(facts):
                acted.append(rule)
                if rule.stop:
                    break
        return Ruling(
            names=tuple(rule.name for rule in acted),
            limits=tuple(rule.limits for rule in acted if rule.limits is not NO_LIMITS),
            needs=next((rule.needs for rule in acted if rule.needs is not None), None),
            in_control_group=all(rule.in_control_group for rule in acted),
            may_explore=all(rule.may_explore for rule in acted),
        )

    def _met(self, facts: Facts) -> set[int]:
        met = set(self._always)
        anchors: Iterable[_Anchor] = chain(
            [("caller", facts.caller), ("user_tier", facts.user_tier), ("tier", facts.required_tier)],
            (("metadata", pair) for pair in facts.metadata.items()),
            (("word", word) for word in (facts.words if self._reads_words else ())),
        )
        for anchor in anchors:
            met.update(self._at.get(anchor, ()))
        for matcher, places in self._groups:
            if matcher(facts.read):
                met.update(places)
        return met


def _anchors(when: When) -> Iterable[_Anchor]:
    if when.callers:
        return (("caller", caller) for caller in when.callers)
    if when.user_tiers:
        return (("user_tier", tier) for tier in when.user_tiers)
    if when.metadata:
        return (("metadata", when.metadata[0]),)
    if when.words and not when.phrases:
        return (("word", word) for word in when.words)
    if when.required_tiers:
        return (("tier", tier) for tier in when.required_tiers)
    return ()


NO_RULES = Rulebook(())
