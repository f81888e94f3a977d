"""Typing errors put right before a prompt is weighed, as far as one slip explains them; the prompt itself is
never touched.

A word that a vocabulary does not know becomes the commonest word that one slip would have turned into it: two
letters swapped, one left out, one hit twice, or the key beside it (Damerau, "A technique for computer
detection and correction of spelling errors", 1964). Names, code, other languages and forms of known words
stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from classifier.reading import Reading

_LETTERS = "etaoinsrhldcumfpgwybvkxjqz"
_KEY_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    key: row[max(0, place - 1) : place] + row[place + 1 : place + 2]
    for row in _KEY_ROWS
    for place, key in enumerate(row)
}
# Of words this short hardly any slip is plain: only a swap that gives one of the commonest words.
_SHORT_CHARS = 4
_COMMONEST = 1_000
# With fewer words known, a text is not of this vocabulary's language, or is not prose.
_LEAST_KNOWN = 0.6
_FEW_WORDS = 5
# Not beside what stands in names, paths, addresses and code.
_WORD = re.compile(r"(?<![\w'’@/.\\_-])[A-Za-z]{4,20}(?![\w@/\\'’(])")
_ENDINGS = ("s", "d", "ed", "r", "er", "ers", "ing", "ings", "ly", "ness", "able", "less", "ful", "y")
_BEGINNINGS = ("un", "re", "mis", "de", "dis", "non", "pre", "over", "out", "back", "in")
_BRITISH = (("is", "iz"), ("ys", "yz"), ("our", "or"), ("tre", "ter"))
_ENDS_SENTENCE = frozenset(".!?:\n")
# Words and pieces of texts that are remembered at most; beyond that all are forgotten.
_MOST_WORDS = 50_000


class Speller:
    """Puts right what is typed wrong, by a vocabulary in the order of how common its words are."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        words = sorted((id_, word) for word, id_ in vocabulary.items() if word.isascii() and word.isalpha())
        self._rank = {word: rank for rank, (_, word) in enumerate(words) if word.islower() and len(word) > 1}
        self._meant: dict[str, str] = {}
        # of what stands between blanks: how many words, how many of them known; and what needs nothing
        self._counts: dict[str, tuple[int, int]] = {}
        self._right: set[str] = set()

    def spelled(self, reading: Reading) -> Reading:
        """Return the reading with its request put right."""
        text = self.corrected(reading.request)
        return reading if text is reading.request else replace(reading, request=text)

    def corrected(self, text: str) -> str:
        """Return the text with its plain typing errors put right; the same text where there are none."""
        pieces = text.split()
        odd = set(pieces).difference(self._right)
        if not odd or "```" in text or not self._wants(odd) or not self._is_known_prose(pieces):
            return text
        found = _WORD.sub(self._put_right, text)
        return text if found == text else found

    def _wants(self, odd: set[str]) -> bool:
        """Tell whether any of these holds a word that may be wrong; remember those that do not."""
        wanting = {piece for piece in odd if self._has_slip(piece)}
        if len(self._right) > _MOST_WORDS:
            self._right = set()
        self._right.update(odd - wanting)
        return bool(wanting)

    def _has_slip(self, piece: str) -> bool:
        return any(self._meaning(word) != word for word in map(str.lower, _WORD.findall(piece)))

    def _is_known_prose(self, pieces: list[str]) -> bool:
        counts = self._counts
        if len(counts) > _MOST_WORDS:
            counts = self._counts = {}
        for piece in set(pieces).difference(counts):
            letters = _WORD.findall(piece.lower())
            counts[piece] = len(letters), sum(map(self._knows, letters))
        found = [counts[piece] for piece in pieces]
        words, known = sum(one for one, _ in found), sum(one for _, one in found)
        return known >= (_LEAST_KNOWN * words if words > _FEW_WORDS else 1)

    def _put_right(self, match: re.Match[str]) -> str:
        word = match.group()
        lower = word.lower()
        found = self._meaning(lower)
        return _in_case_of(word, found) if found != lower and _is_plain(match) else word

    def _meaning(self, word: str) -> str:
        """Return what a word in small letters stands for: itself, where it is known or nothing is near."""
        found = self._meant.get(word)
        if found is None:
            found = word if self._knows(word) else self._nearest(word)
            if len(self._meant) > _MOST_WORDS:
                self._meant = {}
            self._meant[word] = found
        return found

    def _knows(self, word: str) -> bool:
        rank = self._rank
        return word in rank or any(
            base in rank
            for form in _american(word)
            for whole in (form, *_without_beginning(form))
            for base in (whole, *_bases(whole))
            if len(base) > 2
        )

    def _nearest(self, word: str) -> str:
        """Return the commonest word that one slip makes into this one; the word itself without any."""
        short = len(word) <= _SHORT_CHARS
        known = self._rank.keys() & (_swaps(word) if short else _slips(word))
        least = _COMMONEST if short else len(self._rank)
        rank, found = min(((self._rank[one], one) for one in known), default=(least, word))
        return found if rank < least else word


def _is_plain(match: re.Match[str]) -> bool:
    """Tell whether a word is in one case, or in a capital that its sentence asks for; others are names."""
    word = match.group()
    if word.islower() or word.isupper():
        return True
    before = match.string[max(0, match.start() - 2) : match.start()].rstrip(" ")
    return word.istitle() and (match.start() == 0 or before[-1:] in _ENDS_SENTENCE)


def _in_case_of(word: str, found: str) -> str:
    if word.isupper():
        return found.upper()
    return found if word.islower() else found.capitalize()


def _american(word: str) -> Iterator[str]:
    yield word
    for british, american in _BRITISH:
        if british in word:
            yield word.replace(british, american)


def _without_beginning(word: str) -> Iterator[str]:
    for beginning in _BEGINNINGS:
        if word.startswith(beginning) and len(word) > len(beginning) + 3:
            yield word[len(beginning) :]


def _bases(word: str) -> Iterator[str]:
    """Return what a word may be a form of: without its ending, with an e, a y or one letter less of two."""
    for ending in _ENDINGS:
        if word.endswith(ending):
            base = word[: -len(ending)]
            yield base
            yield base + "e"
            if base[-1:] == "i":
                yield base[:-1] + "y"
            if ending == "s" and base[-2:] == "ie":
                yield base[:-2] + "y"
            elif ending == "s" and base[-1:] == "e" and base[-2:-1] in "sxzho":
                yield base[:-1]
            if base[-2:-1] == base[-1:]:
                yield base[:-1]


def _swaps(word: str) -> list[str]:
    return [
        word[:place] + word[place + 1] + word[place] + word[place + 2 :] for place in range(len(word) - 1)
    ]


def _slips(word: str) -> list[str]:
    """Return what may have been meant; the first letter is hardly ever wrong."""
    found = _swaps(word) + [word + letter for letter in _LETTERS]
    for place in range(1, len(word)):
        before, rest, after = word[:place], word[place:], word[place + 1 :]
        found.append(before + after)
        found += [before + key + after for key in _BESIDE.get(word[place], "")]
        found += [before + letter + rest for letter in _LETTERS]
    return found
