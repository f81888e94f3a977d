"""Graded decisions as rows to fit on and rows that judge: which of them, and their numbers.

graded labels → sides by conversation → at most so many of each → embedded, a piece of the exports at a time
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from classifier.features import features
from classifier.reading import Reading
from training.embedding import MadeEncoder, embed
from training.feedback import Graded, material
from training.fit import Examples
from training.labeling import Labels
from training.tokens import token_rows
from training.unknown_words import strange_tokens, unknown_share

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float32]

# A digest's part that says on which side of the split a conversation lies, and one that says anything else.
_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Sides:
    """Which graded rows are fitted on and which judge; `left_out` counts those that do neither."""

    fitted: Flags
    judging: Flags
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class FeedbackRows:
    """Rows with their numbers: `inputs` [N, D + F], `tokens` [N, V] or None where heads do not count them.

    `readings` hold the text of each row, None where the log kept vectors alone; `unknown` [N] is the share of
    its tokens that the vocabulary has no word for, NaN there.
    """

    labels: Labels
    groups: Places
    conversations: Places
    inputs: Matrix
    tokens: csr_matrix | None
    readings: list[Reading | None]
    unknown: npt.NDArray[np.float64]

    def take(self, chosen: Flags) -> FeedbackRows:
        """Return some of the rows."""
        return FeedbackRows(
            self.labels.take(chosen),
            self.groups[chosen],
            self.conversations[chosen],
            self.inputs[chosen],
            None if self.tokens is None else self.tokens[chosen],
            [reading for reading, taken in zip(self.readings, chosen, strict=True) if taken],
            self.unknown[chosen],
        )

    def examples(self, folds: int) -> Examples:
        """Return the rows as examples; a conversation lies in the same fold whenever it comes."""
        fold = (self.conversations.view(np.uint64) // _STEPS % folds).astype(np.int64)
        return Examples(self.inputs, self.labels, fold, np.zeros(len(fold), dtype=np.int64), self.tokens)


def sides(graded: Graded, held_out_share: float, most_fitted: int, most_judging: int) -> Sides:
    """Split graded rows by a digest of their conversation, which no later export changes.

    What judges is never fitted on, now or later. A row that judges although its prompt also stands among
    those fitted on would judge what was learned by heart: it does neither.
    """
    judging = _share_of(graded.conversations) < held_out_share
    fitted = ~judging
    known = judging & np.isin(graded.prompts, graded.prompts[fitted])
    judging &= ~known
    kept_fitted = _first(graded.conversations, fitted, most_fitted)
    kept_judging = _first(graded.conversations, judging, most_judging)
    left_out = {
        "held out, but asked on the fitted side too": int(known.sum()),
        "beyond what is fitted on": int(fitted.sum() - kept_fitted.sum()),
        "beyond what judges": int(judging.sum() - kept_judging.sum()),
    }
    return Sides(kept_fitted, kept_judging, {name: count for name, count in left_out.items() if count})


def load_rows(
    exports: Sequence[Path], graded: Graded, chosen: Flags, encoder: MadeEncoder, counts_tokens: bool
) -> FeedbackRows:
    """Read the chosen rows' prompts or vectors and return their numbers."""
    places = np.flatnonzero(chosen)
    found = _Numbers(len(places))
    feeder = encoder.feeder()
    vocabulary = encoder.vocabulary() if counts_tokens else 0
    nobody = feeder.feeds([Reading(request="")])[0]
    strange = strange_tokens(encoder)
    for piece in material(exports, graded.places[places]):
        found.put(piece.with_vectors, piece.vectors)
        feeds = feeder.feeds(piece.readings)
        if feeds:
            counted = np.stack([features(reading) for reading in piece.readings])
            found.put(piece.with_text, np.hstack([embed(encoder, feeds), counted]))
        for row, reading in zip(piece.with_text, piece.readings, strict=True):
            found.readings[row] = reading
        found.unknown[piece.with_text] = [unknown_share(feed, strange) for feed in feeds]
        if counts_tokens:
            rows = [*piece.with_vectors, *piece.with_text]
            # Rows without text have the tokens of an empty prompt, as `champion.OnVectors` has them.
            found.put_tokens(rows, token_rows([nobody] * len(piece.with_vectors) + feeds, vocabulary))
    return FeedbackRows(
        graded.labels.take(chosen),
        graded.groups[places],
        graded.conversations[places],
        found.matrix(),
        found.tokens() if counts_tokens else None,
        found.readings,
        found.unknown,
    )


@dataclass(slots=True)
class _Numbers:
    """The rows' numbers while they come in, piece by piece, those with vectors before those with text."""

    count: int
    inputs: Matrix | None = None
    readings: list[Reading | None] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    pieces: list[csr_matrix] = field(default_factory=list)
    unknown: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.readings = [None] * self.count
        self.unknown = np.full(self.count, np.nan)

    def put(self, rows: Places, found: Matrix) -> None:
        if not len(rows):
            return
        if self.inputs is None:
            self.inputs = np.zeros((self.count, found.shape[1]), dtype=np.float32)
        self.inputs[rows] = found

    def put_tokens(self, rows: Sequence[int], found: csr_matrix) -> None:
        self.order += [int(row) for row in rows]
        self.pieces.append(found)

    def matrix(self) -> Matrix:
        return np.zeros((self.count, 0), dtype=np.float32) if self.inputs is None else self.inputs

    def tokens(self) -> csr_matrix:
        return vstack(self.pieces).tocsr()[np.argsort(self.order)] if self.pieces else None


def _share_of(digests: Places) -> npt.NDArray[np.float64]:
    """Return a number from 0 to 1 for each digest, the same for the same digest."""
    return (digests.view(np.uint64) % _STEPS) / _STEPS


def _first(conversations: Places, chosen: Flags, most: int) -> Flags:
    """Return the chosen rows, or whole conversations of them in the order of their digests until so many."""
    if int(chosen.sum()) <= most:
        return chosen.copy()
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(conversations[rows].view(np.uint64) // _STEPS, kind="stable")]
    last = rows[most - 1]
    cut = most
    if conversations[rows[most]] == conversations[last]:
        # the conversation that does not fit whole is left out, unless it is the only one
        cut = int(np.argmax(conversations[rows] == conversations[last])) or most
    kept = np.zeros_like(chosen)
    kept[rows[:cut]] = True
    return kept
