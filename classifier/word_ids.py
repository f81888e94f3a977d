"""Texts as token ids: words are looked up, so that the tokenizer is asked for each of them once.

BERT's tokenizers split at white space and at every ASCII mark before they look at a word, so that the ids of
a word do not depend on what stands around it. The ids are those of the tokenizer itself, for any text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

# Words that are remembered at most, 17 MB of them; beyond that all are forgotten.
_MOST_WORDS = 50_000
_LONGEST_WORD_CHARS = 40

_WORD = re.compile("[0-9A-Za-z\x80-\U0010ffff]+|[!-/:-@\\[-`{-~]")
# The tokenizer drops control characters, which joins what stands beside them.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


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
        self._known: dict[str, list[int]] = {}

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text."""
        return [self._by_words(text) if self._is_plain(text) else self._encoded(text) for text in texts]

    def _is_plain(self, text: str) -> bool:
        return (
            self._splits_at_words
            and not _CONTROL.search(text)
            and not ("[" in text and any(token in text for token in self._special))
        )

    def _by_words(self, text: str) -> list[int]:
        words, known = _WORD.findall(text), self._known
        try:
            return list(chain.from_iterable(map(known.__getitem__, words)))
        except KeyError:
            learned = self._learned([word for word in set(words) if word not in known])
        return list(chain.from_iterable(learned[word] if word in learned else known[word] for word in words))

    def _learned(self, strange: list[str]) -> dict[str, list[int]]:
        """Return the ids of words that are not known, and remember those that may come again."""
        learned: dict[str, list[int]] = {}
        asked: list[str] = []
        for word in strange:
            one = self._vocabulary.get(word.lower()) if word.isascii() else None
            if one is None:
                asked.append(word)
            else:
                learned[word] = [one]
        if asked:
            learned.update(zip(asked, self._apart(asked), strict=True))
        if len(self._known) + len(learned) > _MOST_WORDS:
            self._known = {}
        self._known |= {word: ids for word, ids in learned.items() if len(word) <= _LONGEST_WORD_CHARS}
        return learned

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
