"""How many tokens a provider will count for a text: an estimate and an upper bound per family of tokenizers.

Cheap statistics of the bytes stand in for the tokenizers themselves, which are megabytes each: an estimate
is for prices, the bound is for windows. Only words that no language has (random letters) go beyond the bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from serving.routing.token_rates import ASSUMED, RATES, UNKNOWN_FAMILY

# The family that stands for all where one number is asked for.
REFERENCE_FAMILY = "o200k"
# Ten kinds of bytes that count, and what continues a letter, which does not.
_KINDS = 11
_UNCOUNTED = b"\x80"
_COUNTED = [bytes((kind,)) for kind in range(10)]
# The kinds whose runs count: words, words in capitals, numbers, line breaks, marks.
_RUNS = [0, 1, 2, 4, 5]
# From so many bytes on numpy is quicker; for fewer, its code being fetched takes longer than all of the rest.
_MANY = 2_000


class TokenCount(NamedTuple):
    """Tokens of one text for one family: what is likely, and what it hardly ever exceeds."""

    expected: int
    at_most: int


# What every bound has beside its rates: short texts are uneven.
SPARE_TOKENS = 16


def count_tokens(text: str, framing: int = 0) -> dict[str, TokenCount]:
    """Return what a text comes to in each family, and `framing` tokens that no text stands for besides.

    `unknown` is the most of any.

    >>> counts = count_tokens("What is the capital of France?")
    >>> counts["o200k"].expected, counts["o200k"].expected <= counts["unknown"].at_most
    (8, True)
    """
    data = text.encode("utf-8", "replace")
    # no tokenizer makes more tokens than there are bytes
    longest = len(data)
    seen = _statistics(data) if longest < _MANY else _statistics_of_many(data)
    sums = _RATES.dot(np.array(seen, dtype=np.float64)).tolist()
    expected = [min(round(tokens), longest) + framing for tokens in sums[: len(FAMILIES)]]
    at_most = [min(int(tokens) + SPARE_TOKENS, longest) + framing for tokens in sums[len(FAMILIES) :]]
    found = dict(zip(FAMILIES, map(TokenCount, expected, at_most), strict=True))
    found[UNKNOWN_FAMILY] = TokenCount(max(expected), max(at_most))
    return found


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text where no deployment is meant, as the most common family counts them.

    >>> estimate_tokens("four letters make a word")
    5
    """
    return count_tokens(text)[REFERENCE_FAMILY].expected


def stated_error(family: str) -> float:
    """Return the share (0–1) by which 19 of 20 estimates of a family are off at most.

    >>> stated_error("o200k") < stated_error("claude")
    True
    """
    if family in RATES:
        return RATES[family][2]
    return ASSUMED[family][3] if family in ASSUMED else max(row[3] for row in ASSUMED.values())


def _statistics(data: bytes) -> list[int]:
    """Return how many bytes there are of each kind, and how many runs of some kinds."""
    kinds = data.translate(_KIND_OF)
    counts = [kinds.count(kind) for kind in _COUNTED]
    runs = [_runs(kinds.translate(only)) for only in _ONLY]
    return counts + runs


def _runs(marked: bytes) -> int:
    """Return how many runs of 1 there are among 0."""
    return marked.count(b"\0\1") + marked.startswith(b"\1")


def _statistics_of_many(data: bytes) -> list[int]:
    """Return what `_statistics` does."""
    # before the first byte one that is not counted, so that the first begins a run as well
    kinds = np.frombuffer((_UNCOUNTED + data).translate(_KIND_OF), dtype=np.uint8)
    counts: list[int] = np.bincount(kinds, minlength=_KINDS).tolist()
    begun: list[int] = np.bincount(kinds[1:][kinds[1:] != kinds[:-1]], minlength=_KINDS).tolist()
    return counts[:-1] + [begun[kind] for kind in _RUNS]


def _kind(byte: int) -> int:
    """Sort a byte of UTF-8 into the kinds of COUNTED; what continues a letter is the last, not counted."""
    letter = chr(byte)
    if byte >= 0x80:
        starts = ((0xF0, 9), (0xEE, 7), (0xE3, 8), (0xE0, 7), (0xC0, 6), (0x80, 10))
        return next(kind for first, kind in starts if byte >= first)
    if letter.isalpha():
        return 0 if letter.islower() else 1
    if letter.isdigit():
        return 2
    return 3 if letter == " " else 4 if letter in "\t\n\v\f\r" else 5


def _rates(place: int) -> npt.NDArray[np.float64]:
    measured: Mapping[str, tuple[float, ...]] = {family: row[place] for family, row in RATES.items()}  # type: ignore[misc]
    assumed = [np.array(measured[row[0]]) * row[1 + place] for row in ASSUMED.values()]
    return np.array([*measured.values(), *assumed], dtype=np.float64)


FAMILIES: tuple[str, ...] = (*RATES, *ASSUMED)
_KIND_OF = bytes(_kind(byte) for byte in range(256))
_ONLY = [bytes(kind == wanted for kind in range(256)) for wanted in _RUNS]
# Both kinds of rates in one, for one multiplication.
_RATES = np.concatenate((_rates(0), _rates(1)))
