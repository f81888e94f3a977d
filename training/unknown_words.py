"""Which tokens stand for what a vocabulary has no word for, and how much of a prompt they are."""

from __future__ import annotations

import re

import numpy as np
from tokenizers import Tokenizer

from classifier.encoder import Feed
from training.embedding import MadeEncoder

_STRANGE = re.compile(r"\[UNK\]|<unk>|<0x[0-9A-Fa-f]{2}>")


def strange_tokens(encoder: MadeEncoder) -> frozenset[int]:
    """Return the ids of tokens that stand for what the vocabulary has not: unknown, or a bare byte."""
    vocabulary = Tokenizer.from_file(str(encoder.tokenizer_file)).get_vocab()
    return frozenset(place for token, place in vocabulary.items() if _STRANGE.fullmatch(token))


def unknown_share(feed: Feed, strange: frozenset[int]) -> float:
    """Return which share of a prompt's tokens is strange.

    >>> unknown_share({"token_ids": np.array([7, 1, 8, 1])}, frozenset({1}))
    0.5
    """
    ids = feed["token_ids"] if "token_ids" in feed else feed["input_ids"]
    return float(np.isin(ids, list(strange)).mean())
