"""Graded decisions as rows to fit on and rows that judge: which of them, and their numbers.

graded labels → sides by conversation → at most so many of each → embedded, a piece of the exports at a time
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack

from classifier.reading import Reading
from training.decision_log import Part, is_parquet, parts_of
from training.embedded import PackedEncoder
from training.executor import Executor
from training.feedback import Graded, Material, material, material_of
from training.fit import Examples
from training.labeling import Labels
from training.tokens import token_rows
from training.unknown_words import unknown_share

Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float32]

# A digest's part that says on which side of the split a conversation lies, and one that says anything else.
_STEPS = 10_000
# Of an export that one task reads; the rows that nobody graded are passed over.
_PART_ROWS = 20_000


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
    its tokens that the vocabulary has no word for, NaN there. `asked` [N] is the place of the tier that
    answered.
    """

    labels: Labels
    groups: Places
    conversations: Places
    asked: Places
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
            self.asked[chosen],
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
    exports: Sequence[Path],
    graded: Graded,
    chosen: Flags,
    encoder: PackedEncoder,
    counts_tokens: bool,
    executor: Executor,
) -> FeedbackRows:
    """Read the chosen rows' prompts or vectors and return their numbers.

    Exports that are all Parquet are read, a part each, by whoever works on it: the files must lie where the
    executor's workers find them too.
    """
    places = np.flatnonzero(chosen)
    found = _Numbers(len(places))
    shared = _Shared(encoder, counts_tokens)
    for pieces in executor.map(_numbers_of, shared, _parts(exports, graded.places[places])):
        for piece in pieces:
            found.take_over(piece)
    return FeedbackRows(
        graded.labels.take(chosen),
        graded.groups[places],
        graded.conversations[places],
        graded.asked[places],
        found.matrix(),
        found.tokens() if counts_tokens else None,
        found.readings,
        found.unknown,
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    encoder: PackedEncoder
    counts_tokens: bool


@dataclass(frozen=True, slots=True)
class _Unread:
    """Rows that are read where they are worked on: their places in a part's file, the number of the first."""

    part: Part
    places: Places
    first_row: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """The numbers of some rows: `inputs` and `tokens` of those with vectors, then of those with text."""

    rows: Places
    inputs: Matrix
    tokens: csr_matrix | None
    with_text: Places
    readings: list[Reading]
    unknown: list[float]


def _parts(exports: Sequence[Path], places: Places) -> Iterator[_Unread | Material]:
    if not all(is_parquet(export) for export in exports):
        # JSON Lines are found by reading what comes before
        yield from material(exports, places)
        return
    row = start = 0
    for export in exports:
        parts = parts_of(export, _PART_ROWS)
        for part in parts:
            inside = int(np.searchsorted(places, start + part.first + part.rows)) - row
            if inside:
                yield _Unread(part, places[row : row + inside] - start, row)
            row += inside
        start += sum(part.rows for part in parts)


def _numbers_of(shared: _Shared, asked: _Unread | Material) -> list[_Piece]:
    if isinstance(asked, Material):
        return [_numbers(shared, asked)]
    return [_numbers(shared, one) for one in material_of(asked.part, asked.places, asked.first_row)]


def _numbers(shared: _Shared, found: Material) -> _Piece:
    encoder = shared.encoder.opened()
    embedded = encoder.embedded(found.readings)
    blocks = [block for block in (found.vectors, embedded.inputs) if len(block)]
    tokens = None
    if shared.counts_tokens:
        # Rows without text have the tokens of an empty prompt, as `champion.OnVectors` has them.
        nobody = encoder.feeder.feeds([Reading(request="")])
        feeds = nobody * len(found.with_vectors) + embedded.feeds
        tokens = token_rows(feeds, encoder.vocabulary)
    return _Piece(
        np.concatenate([found.with_vectors, found.with_text]),
        np.vstack(blocks),
        tokens,
        found.with_text,
        found.readings,
        [unknown_share(feed, encoder.strange) for feed in embedded.feeds],
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

    def take_over(self, piece: _Piece) -> None:
        if self.inputs is None:
            self.inputs = np.zeros((self.count, piece.inputs.shape[1]), dtype=np.float32)
        self.inputs[piece.rows] = piece.inputs
        self.unknown[piece.with_text] = piece.unknown
        for row, reading in zip(piece.with_text, piece.readings, strict=True):
            self.readings[row] = reading
        if piece.tokens is not None:
            self.order += [int(row) for row in piece.rows]
            self.pieces.append(piece.tokens)

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
