"""Texts as token ids: words are looked up, so that the tokenizer is asked for each of them once.

BERT's tokenizers split at white space and at every ASCII mark before they look at a word, so that the ids of
what stands between two blanks, or between two marks, do not depend on what stands around it. The ids are
those of the tokenizer itself, for any text.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

# Words and pieces of them that are remembered at most, 13 MB of them; beyond that all are forgotten.
_MOST_WORDS = 100_000
_LONGEST_WORD_CHARS = 40

# What a word between two blanks is made of.
_PIECE = re.compile("[0-9A-Za-z\x80-\U0010ffff]+|[!-/:-@\\[-`{-~]")
# The tokenizer drops control characters, which joins what stands beside them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85]")
_ASCII_CONTROL = bytes(byte for byte in range(128) if _CONTROL.match(chr(byte)))

Ids: TypeAlias = npt.NDArray[np.int64]


class WordIds:
    """Token ids without special tokens. Safe to call from several threads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        # such as [MASK], which the tokenizer sees before it splits
        added = tokenizer.get_added_tokens_decoder()
        self._special = tuple(token.content for token in added.values())
        self._splits_at_words = bool(added) and _splits_at_words(tokenizer)
        self._between_id, self._between = next(((id_, f" {t.content} ") for id_, t in added.items()), (0, ""))
        # most words are one token, which needs no asking
        self._vocabulary = tokenizer.get_vocab(with_added_tokens=False) if self._splits_at_words else {}
        # each word's ids as they lie in an array: one object to look at, and a text's ids are one copy
        self._known: dict[str, bytes] = {}

    def of(self, texts: Sequence[str]) -> list[Ids]:
        """Return the ids of each text."""
        return [np.frombuffer(self._ids(text), dtype=np.int64) for text in texts]

    def _ids(self, text: str) -> bytes:
        return self._by_words(text) if self._is_plain(text) else _packed(self._encoded(text))

    def _is_plain(self, text: str) -> bool:
        return (
            self._splits_at_words
            and not _has_control(text)
            and not ("[" in text and any(token in text for token in self._special))
        )

    def _by_words(self, text: str) -> bytes:
        words, known = text.split(), self._known
        try:
            return b"".join(map(known.__getitem__, words))
        except KeyError:
            learned = self._learned([word for word in set(words) if word not in known], known)
        return b"".join([learned[word] if word in learned else known[word] for word in words])

    def _learned(self, strange: list[str], known: dict[str, bytes]) -> dict[str, bytes]:
        """Return the ids of words that are not known, and of their pieces; remember what may come again."""
        pieces = {word: _PIECE.findall(word) for word in strange}
        learned = self._looked_up({one for found in pieces.values() for one in found if one not in known})
        for word, found in pieces.items():
            learned[word] = b"".join([learned[one] if one in learned else known[one] for one in found])
        if len(self._known) + len(learned) > _MOST_WORDS:
            self._known = {}
        self._known |= {word: ids for word, ids in learned.items() if len(word) <= _LONGEST_WORD_CHARS}
        return learned

    def _looked_up(self, pieces: Iterable[str]) -> dict[str, bytes]:
        """Return the ids of pieces from the vocabulary, of the others from the tokenizer."""
        found: dict[str, bytes] = {}
        asked: list[str] = []
        for piece in pieces:
            one = self._vocabulary.get(piece.lower()) if piece.isascii() else None
            if one is None:
                asked.append(piece)
            else:
                found[piece] = _packed([one])
        if asked:
            found.update(zip(asked, map(_packed, self._apart(asked)), strict=True))
        return found

    def _apart(self, words: list[str]) -> list[list[int]]:
        """Return the ids of each word, asked for as one text: many short ones cost many times as much."""
        apart: list[list[int]] = [[]]
        for one in self._encoded(self._between.join(words)):
            if one == self._between_id:
                apart.append([])
            else:
                apart[-1].append(one)
        return apart

    def _encoded(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return found


def _packed(ids: list[int]) -> bytes:
    return array("q", ids).tobytes()


def _has_control(text: str) -> bool:
    if not text.isascii():
        return _CONTROL.search(text) is not None
    # a pass in C, where looking for one of a set of characters is ten of them
    return len(text.encode().translate(None, _ASCII_CONTROL)) != len(text)


def _splits_at_words(tokenizer: Tokenizer) -> bool:
    """Tell whether this is a tokenizer for which the ids of words stand alone."""
    normalizer = tokenizer.normalizer
    return (
        isinstance(normalizer, BertNormalizer)
        and normalizer.lowercase is True
        and normalizer.clean_text is True
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and isinstance(tokenizer.model, WordPiece)
    )
