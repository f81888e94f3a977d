"""From readings to what the encoder at the front of an artifact's graph takes.

Two encoders: the static one looks token embeddings up and averages them; the transformer reads the tokens in
order. Both run inside the artifact's graph, so that a prompt is one call; what differs is the feed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from classifier.reading import Reading
from classifier.spelling import Speller
from classifier.terms import Terms
from classifier.word_ids import Ids, WordIds

# In a conversation the context speaks as loudly as this many words: it decides what "yes, go on" is about,
# and says little beside a request that stands on its own.
CONTEXT_TOKENS = 24

_CONTEXT_WEIGHT = 0.99

# The first and last tokens of a request weigh 1 each, all of those between as much as so many together: what
# is asked stands at the edges, and a long document between them should not drown it.
EDGE_TOKENS = 30
MIDDLE_TOKENS = 20

# The transformer's window; what is cut is the middle of the request and the older part of the context.
MAX_TRANSFORMER_TOKENS = 256

_NO_IDS: Ids = np.empty(0, dtype=np.int64)

Feed = dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64] | npt.NDArray[np.int32]]


class Encoder(Protocol):
    """Turns readings into the inputs of the graph, one feed a reading."""

    kind: str

    def spelled(self, readings: Sequence[Reading]) -> list[Reading]:
        """Return the readings with plain typing errors put right, as far as its vocabulary tells."""

    def feeds(self, readings: Sequence[Reading]) -> list[Feed]:
        """Return one feed per reading, in their order; a reading's feed does not depend on the others."""


class StaticEncoder:
    """Token ids with a weight each: the graph's embedding is their weighted mean, of length 1.

    Feeds: `token_ids` int64 [T], `token_weights` float32 [T], T ≥ 1. With terms, which the heads weigh beside
    the embedding, also `term_ids` int32 [M], `term_weights` float32 [M].
    """

    kind = "static"

    def __init__(self, tokenizer: Tokenizer, with_terms: bool = True) -> None:
        self._ids = WordIds(tokenizer)
        self._terms = Terms(tokenizer.get_vocab_size()) if with_terms else None
        self._unknown = tokenizer.token_to_id("[UNK]") or 0
        self._speller = Speller(tokenizer.get_vocab(with_added_tokens=False))

    def spelled(self, readings: Sequence[Reading]) -> list[Reading]:
        """Return the readings with plain typing errors put right."""
        return list(map(self._speller.spelled, readings))

    def feeds(self, readings: Sequence[Reading]) -> list[Feed]:
        """Return the tokens of each request, and of its context at a lower weight."""
        texts = [text for reading in readings for text in (reading.request, reading.context) if text]
        found = iter(self._ids.of(texts))
        return [
            self._feed(
                reading.request,
                next(found) if reading.request else _NO_IDS,
                next(found) if reading.context else _NO_IDS,
            )
            for reading in readings
        ]

    def _feed(self, text: str, request: Ids, context: Ids) -> Feed:
        ids = np.concatenate((request, context)) if len(context) else request
        if not len(ids):
            ids = np.array([self._unknown], dtype=np.int64)
        weights = np.empty(len(ids), dtype=np.float32)
        weights.fill(1.0)
        middle = len(request) - 2 * EDGE_TOKENS
        edges = request
        if middle > MIDDLE_TOKENS:
            weights[EDGE_TOKENS : EDGE_TOKENS + middle] = MIDDLE_TOKENS / middle
            edges = np.concatenate((request[:EDGE_TOKENS], request[-EDGE_TOKENS:]))
        if len(context):
            weights[len(request) :] = min(_CONTEXT_WEIGHT, CONTEXT_TOKENS / len(context))
        feed: Feed = {"token_ids": ids, "token_weights": weights}
        if self._terms is not None:
            feed["term_ids"], feed["term_weights"] = self._terms.of(edges, text)
        return feed


class TransformerEncoder:
    """Token ids in order, with the special tokens of the model.

    Feeds: `input_ids` and `attention_mask`, int64 [1, T], T ≤ MAX_TRANSFORMER_TOKENS.
    """

    kind = "transformer"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._ids = WordIds(tokenizer)
        self._first, self._last = _frame(tokenizer)
        self._speller = Speller(tokenizer.get_vocab(with_added_tokens=False))

    def spelled(self, readings: Sequence[Reading]) -> list[Reading]:
        """Return the readings with plain typing errors put right."""
        return list(map(self._speller.spelled, readings))

    def feeds(self, readings: Sequence[Reading]) -> list[Feed]:
        """Return the end of the context and then the request, within the window."""
        contexts = self._ids.of([reading.context for reading in readings])
        requests = self._ids.of([reading.request for reading in readings])
        pairs = zip(requests, contexts, strict=True)
        return [self._feed(request.tolist(), context.tolist()) for request, context in pairs]

    def _feed(self, request: list[int], context: list[int]) -> Feed:
        room = MAX_TRANSFORMER_TOKENS - len(self._first) - len(self._last)
        kept = context[-CONTEXT_TOKENS:] + _ends(request, room - min(len(context), CONTEXT_TOKENS))
        ids = np.array([[*self._first, *kept, *self._last]], dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def load_encoder(kind: str, tokenizer_file: Path, with_terms: bool = True) -> Encoder:
    """Return the encoder of that kind; raises ValueError for an unknown one.

    Terms are fed only by the static encoder, and only where they are wanted.
    """
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    known: dict[str, Callable[[Tokenizer], Encoder]] = {
        StaticEncoder.kind: lambda tokenizer: StaticEncoder(tokenizer, with_terms),
        TransformerEncoder.kind: TransformerEncoder,
    }
    if kind not in known:
        raise ValueError(f"Unknown encoder {kind!r}. Known: {', '.join(known)}.")
    return known[kind](tokenizer)


def _ends(ids: list[int], room: int) -> list[int]:
    """Return the tokens, or the first and last halves of them where they need more than the room."""
    if len(ids) <= room:
        return ids
    head = room // 2
    return ids[:head] + ids[len(ids) - (room - head) :]


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens that the tokenizer puts before and after a text."""
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    framed = tokenizer.encode("a", add_special_tokens=True).ids
    start = framed.index(bare[0]) if bare else len(framed)
    return framed[:start], framed[start + len(bare) :]
