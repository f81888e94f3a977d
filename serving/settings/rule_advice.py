"""Rules that never act, contradict each other, or let nobody answer: told by `weighbridge check`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from serving.routing.catalog import Catalog
from serving.routing.filters import tiers_within
from serving.routing.request import Limits
from serving.settings.limits import limits_of
from serving.settings.rules import RuleSettings, WhenSettings

# Pairs of rules that are compared at most, and problems that are told: enough to start with.
_MOST_PAIRS = 100_000
_MOST_TOLD = 50

# Conditions of which one value is enough.
_SETS = ("callers", "user_tiers", "required_tiers", "words", "languages")

_Anchor = tuple[str, object]


def rule_advice(rows: Sequence[RuleSettings], catalog: Catalog, tiers: Sequence[str]) -> list[str]:
    """Return one sentence per rule that a team probably did not mean, the first fifty."""
    told = [*_barren(rows, catalog, tiers), *_pairs(rows, catalog, tiers)]
    if len(told) > _MOST_TOLD:
        return [*told[:_MOST_TOLD], f"{len(told) - _MOST_TOLD} more rules look wrong."]
    return told


def _barren(rows: Sequence[RuleSettings], catalog: Catalog, tiers: Sequence[str]) -> Iterator[str]:
    for row in rows:
        if not _answers(limits_of(row.then, catalog), catalog, tiers):
            yield f"Rule {row.name!r} lets no usable deployment answer: it refuses what it matches."


def _answers(limits: Limits, catalog: Catalog, tiers: Sequence[str]) -> set[str]:
    within = tiers_within(limits, tiers)
    return {
        row.name
        for row in catalog
        if row.name not in limits.deny
        and (limits.allow is None or row.name in limits.allow)
        and (not limits.pin or row.name in limits.pin)
        and all(tag in row.compliance or row.forgets_within(tag) for tag in limits.compliance)
        and limits.capabilities <= row.capabilities
        and (within is None or row.tier in within)
    }


def _pairs(rows: Sequence[RuleSettings], catalog: Catalog, tiers: Sequence[str]) -> Iterator[str]:
    """Compare each rule with the earlier ones that hold wherever it does."""
    waiting: dict[_Anchor, list[RuleSettings]] = defaultdict(list)
    left = _MOST_PAIRS
    for later in rows:
        earlier_rows = [row for anchor in _values(later.when) for row in waiting.get(anchor, ())]
        for earlier in earlier_rows:
            left -= 1
            if left < 0:
                yield f"There are too many alike rules to compare; those after {later.name!r} were not."
                return
            if _implies(later.when, earlier.when):
                problem = _problem(earlier, later, catalog, tiers)
                if problem:
                    yield problem
                    break
        for anchor in _waits_at(later.when):
            waiting[anchor].append(later)


def _problem(
    earlier: RuleSettings, later: RuleSettings, catalog: Catalog, tiers: Sequence[str]
) -> str | None:
    """Tell what is wrong with two rules of which the earlier holds wherever the later does."""
    both = f"{earlier.name!r} holds wherever {later.name!r} does"
    if earlier.then.stop:
        return f"Rule {later.name!r} never acts: {both}, comes first and stops."
    if earlier.then.needs and later.then.needs and earlier.then.needs != later.then.needs:
        return f"Rules contradict each other: {both}, and its needs = {earlier.then.needs!r} counts first."
    one, other = limits_of(earlier.then, catalog), limits_of(later.then, catalog)
    first, second = _answers(one, catalog, tiers), _answers(other, catalog, tiers)
    if first and second and not first & second:
        return f"Rules contradict each other: {both}, and no deployment may answer under both."
    return None


def _values(when: WhenSettings) -> Iterator[_Anchor]:
    """Yield every anchor at which a rule may wait that holds wherever this one does."""
    yield ("always", None)
    for kind in _SETS:
        yield from ((kind, value) for value in getattr(when, kind))
    yield from (("metadata", pair) for pair in when.metadata.items())
    if when.regex is not None:
        yield ("regex", when.regex)


def _waits_at(when: WhenSettings) -> list[_Anchor]:
    """Return where a rule is looked for: one of its values, since a rule that implies it has none but its."""
    for kind in _SETS:
        if values := getattr(when, kind):
            return [(kind, value) for value in dict.fromkeys(values)]
    if when.metadata:
        return [("metadata", next(iter(when.metadata.items())))]
    return [("always", None) if when.regex is None else ("regex", when.regex)]


def _implies(narrow: WhenSettings, wide: WhenSettings) -> bool:
    """Tell whether every prompt for which `narrow` holds is one for which `wide` does."""
    for kind in _SETS:
        asked = set(getattr(wide, kind))
        if asked and not (set(getattr(narrow, kind)) and set(getattr(narrow, kind)) <= asked):
            return False
    return (
        (wide.regex is None or wide.regex == narrow.regex)
        and (wide.tools is None or wide.tools == narrow.tools)
        and wide.metadata.items() <= narrow.metadata.items()
        and (wide.min_input_tokens or 0) <= (narrow.min_input_tokens or 0)
        and (
            wide.max_input_tokens is None
            or (narrow.max_input_tokens is not None and narrow.max_input_tokens <= wide.max_input_tokens)
        )
    )
