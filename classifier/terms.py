"""What a request is made of, as places in one table of weights: its tokens, pairs of tokens, runs of letters.

Each block counts a term once, however often it stands there, and weighs as much as the others whatever the
length of the request. Runs of letters (character n-grams within words, as fastText has them) survive what a
typing error does to a token.
"""

from __future__ import annotations

import re
from array import array
from zlib import crc32

import numpy as np
import numpy.typing as npt

from classifier.word_ids import Ids

# Pairs of neighbours, and runs of letters, share this many weights each, by a hash: a prime, so that the
# remainders are spread evenly.
PAIR_BUCKETS = RUN_BUCKETS = 65_521
_PAIR_FIRST, _PAIR_SECOND = 30_011, 7

_RUN_CHARS = (4, 5)
# What is asked stands at the edges of a long request, so that the work is bounded too.
_EDGE_WORDS = 60
# Longer ones are no words: keys, or sentences of a script that sets no spaces.
_LONGEST_WORD_CHARS = 24
# Words that are remembered at most, about 9 MB of them; beyond that all are forgotten.
_MOST_WORDS = 50_000
_LETTERS = re.compile(r"[^\W\d_]+")
_PLACE_BYTES = 4

Places = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]


class Terms:
    """Finds the terms of requests, for a vocabulary of so many tokens. Safe to call from several threads."""

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary
        self._first_run = vocabulary + PAIR_BUCKETS
        # the places of each word's runs as the bytes of an array, as `WordIds` keeps ids
        self._known: dict[str, bytes] = {}

    @property
    def places(self) -> int:
        """Return how many places the table has."""
        return self._first_run + RUN_BUCKETS

    def of(self, ids: Ids, text: str) -> tuple[Places, Weights]:
        """Return the places of a request's token ids and text, int32 [M], and the weight of each.

        Token 0 stands before the first, so that there is always a token and a pair.
        """
        own = [0, *ids.tolist()]
        before = [0, *own[:-1]]
        pairs = [
            (first * _PAIR_FIRST + second * _PAIR_SECOND) % PAIR_BUCKETS + self._vocabulary
            for first, second in zip(before, own, strict=True)
        ]
        # arrays and bytes, since numpy takes its time with so few numbers
        blocks = [_distinct(own), _distinct(pairs), self._runs(text)]
        weights = b"".join([_loudness(len(block) // _PLACE_BYTES) for block in blocks if block])
        return np.frombuffer(b"".join(blocks), dtype=np.int32), np.frombuffer(weights, dtype=np.float32)

    def _runs(self, text: str) -> bytes:
        words = text.lower().split()
        if len(words) > 2 * _EDGE_WORDS:
            words = words[:_EDGE_WORDS] + words[-_EDGE_WORDS:]
        distinct, known = dict.fromkeys(words), self._known
        try:
            return b"".join(map(known.__getitem__, distinct))
        except KeyError:
            learned = {word: self._runs_of(word) for word in distinct if word not in known}
        if len(known) + len(learned) > _MOST_WORDS:
            self._known = {}
        self._known |= learned
        return b"".join([learned[word] if word in learned else known[word] for word in distinct])

    def _runs_of(self, word: str) -> bytes:
        letters = _LETTERS.findall(word)
        if letters == [word]:
            places = [self._first_run + crc32(run.encode()) % RUN_BUCKETS for run in letter_runs(word)]
            return array("i", places).tobytes()
        # marks around a word change nothing: it may be known without them
        return b"".join([self._known.get(one) or self._runs_of(one) for one in letters])


def letter_runs(word: str) -> list[str]:
    """Return the runs of letters of a word, a blank standing for either end of it.

    >>> letter_runs("prove")
    [' pro', 'prov', 'rove', 'ove ', ' prov', 'prove', 'rove ']
    """
    if len(word) > _LONGEST_WORD_CHARS:
        return []
    framed = f" {word} "
    found = [framed] if len(framed) < _RUN_CHARS[0] else []
    for chars in _RUN_CHARS:
        found += [framed[start : start + chars] for start in range(len(framed) - chars + 1)]
    return found


def _loudness(terms: int) -> bytes:
    """Return the weight of each of so many terms, which are as loud as any other number together."""
    return array("f", (terms**-0.5,)).tobytes() * terms


def _distinct(places: list[int]) -> bytes:
    """Return each place once, in the order in which they come, as the bytes of int32."""
    return array("i", dict.fromkeys(places)).tobytes()
