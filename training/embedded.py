"""Readings to numbers, a piece at a time, wherever the executor does it; the encoder travels along."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.encoder import Encoder, Feed
from classifier.features import FEATURE_NAMES, features
from classifier.reading import Reading
from classifier.tier_classifier import open_session
from training.embedding import MadeEncoder, run_session
from training.executor import Executor
from training.unknown_words import strange_tokens

# Opening the encoder takes as long as embedding a few hundred prompts.
PIECE_ROWS = 4_096


@dataclass(frozen=True, slots=True)
class Embedded:
    """What readings came to: the feed of each, and its `inputs` [N, D + F], embedding then features."""

    feeds: list[Feed]
    inputs: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OpenEncoder:
    """An encoder at work: `strange` are the ids of tokens that stand for what the vocabulary has not."""

    feeder: Encoder
    session: Any
    vocabulary: int
    strange: frozenset[int]

    def embedded(self, readings: Sequence[Reading]) -> Embedded:
        """Return what readings come to; each is embedded alone, so that its company changes nothing."""
        readings = self.feeder.spelled(readings)
        feeds = self.feeder.feeds(readings)
        if not feeds:
            return Embedded([], np.zeros((0, len(FEATURE_NAMES)), dtype=np.float32))
        counted = np.stack([features(reading) for reading in readings])
        return Embedded(feeds, np.hstack([run_session(self.session, feeds), counted]))


class PackedEncoder:
    """An encoder as bytes: another machine has none of our folders. A process opens it once."""

    def __init__(self, graph: bytes, tokenizer: bytes, facts: Mapping[str, Any]) -> None:
        self._made_of = (graph, tokenizer, dict(facts))
        self._opened: OpenEncoder | None = None

    def __reduce__(self) -> tuple[type[PackedEncoder], tuple[bytes, bytes, dict[str, Any]]]:
        """Travel closed."""
        return PackedEncoder, self._made_of

    @contextmanager
    def unpacked(self) -> Iterator[MadeEncoder]:
        """Yield the encoder in a folder for as long as that is used; it has no reference to prove it by."""
        graph, tokenizer, facts = self._made_of
        with tempfile.TemporaryDirectory() as folder:
            encoder = MadeEncoder(Path(folder), facts)
            encoder.graph_file.write_bytes(graph)
            encoder.tokenizer_file.write_bytes(tokenizer)
            yield encoder

    def opened(self) -> OpenEncoder:
        """Return the encoder at work."""
        if self._opened is None:
            with self.unpacked() as made:
                self._opened = OpenEncoder(
                    made.feeder(), open_session(made.graph_file), made.vocabulary(), strange_tokens(made)
                )
        return self._opened


def packed(encoder: MadeEncoder) -> PackedEncoder:
    """Return an encoder ready to travel."""
    return PackedEncoder(encoder.graph_file.read_bytes(), encoder.tokenizer_file.read_bytes(), encoder.facts)


def embed_readings(
    executor: Executor, encoder: PackedEncoder, readings: Sequence[Reading], piece_rows: int = PIECE_ROWS
) -> Embedded:
    """Return the feeds and the inputs of the heads, in the order of the readings."""
    pieces = (readings[first : first + piece_rows] for first in range(0, len(readings), piece_rows))
    found = list(executor.map(_embed_piece, encoder, pieces))
    if not found:
        return Embedded([], np.zeros((0, len(FEATURE_NAMES)), dtype=np.float32))
    return Embedded(
        [feed for piece in found for feed in piece.feeds], np.vstack([piece.inputs for piece in found])
    )


def _embed_piece(encoder: PackedEncoder, readings: Sequence[Reading]) -> Embedded:
    return encoder.opened().embedded(readings)
