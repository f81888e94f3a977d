"""Looks for the kinds that the settings ask about, and says which tags the prompt requires for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from re import Pattern
from typing import Any

_log = logging.getLogger(__name__)

UNDETERMINED = "undetermined"
# Proofs per shape and prompt, some microseconds each; what has more to prove counts as found.
_MOST_PROOFS = 20_000
# A slice is searched in a millisecond or so.
_SLICE_CHARS = 50_000
# No pattern of `kinds` matches more, what it looks ahead for included.
LONGEST_MATCH_CHARS = 8_000
# Media, which no pattern can read.
_UNREADABLE = frozenset({"image_url", "input_audio", "file"})


Proof = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a piece of content looks like, and what proves that it is one; None where looks are enough."""

    pattern: Pattern[str]
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The kinds that were found in a prompt, and the tags that a deployment must have for them."""

    kinds: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()


NOTHING = Found()


class Screen:
    """Searches prompts for the kinds of `tags_for`; where it fails, every tag is required."""

    def __init__(
        self, tags_for: Mapping[str, frozenset[str]], shapes: Mapping[str, tuple[Shape, ...]]
    ) -> None:
        self._tags_for = {kind: tags for kind, tags in tags_for.items() if tags}
        self._shapes = shapes

    def look(self, prompt: Mapping[str, Any], text: str = "") -> Found:
        """Return what stands in the prompt: every text of it, whoever wrote it, and `text` besides."""
        if not self._tags_for:
            return NOTHING
        try:
            whole = "\n".join((*_texts(prompt), text))
            kinds = tuple(kind for kind in self._tags_for if self._holds(kind, whole))
        except Exception:
            _log.exception(
                "Looking for sensitive content failed; the prompt requires every tag of [sensitive]"
            )
            return Found((UNDETERMINED,), frozenset().union(*self._tags_for.values()))
        return (
            Found(kinds, frozenset().union(*(self._tags_for[kind] for kind in kinds))) if kinds else NOTHING
        )

    def _holds(self, kind: str, text: str) -> bool:
        return any(_matches(shape, text) for shape in self._shapes[kind])


def _matches(shape: Shape, text: str) -> bool:
    if shape.proof is None:
        return next(_found(shape.pattern, text), None) is not None
    for proved, found in enumerate(_found(shape.pattern, text), start=1):
        if proved > _MOST_PROOFS or shape.proof(found):
            return True
    return False


def _found(pattern: Pattern[str], text: str) -> Iterator[str]:
    """Yield what matches, a slice at a time: one search of megabytes would stop every other thread.

    A match belongs to the slice in which it starts, and may reach beyond it.
    """
    at = 0
    while at < len(text):
        end = after = at + _SLICE_CHARS
        for match in pattern.finditer(text, at, end + LONGEST_MATCH_CHARS):
            if match.start() >= end:
                break
            yield match.group()
            after = max(end, match.end())
        at = after


def _texts(value: Any) -> Iterator[str]:
    """Yield every string in a prompt, names of fields and addresses of media aside."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(inner for name, inner in one.items() if name not in _UNREADABLE)
        elif isinstance(one, list | tuple):
            waiting.extend(one)


NO_SCREEN = Screen({}, {})
