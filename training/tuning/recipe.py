"""Rows and a pool of texts to a tuned encoder on disk: teach, disturb, ask, copy, write, prove."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

from classifier.encoder import TunedEncoder
from classifier.tier_classifier import open_session
from training.labeling import Lessons
from training.static_encoder import distil
from training.tuning.disturb import disturbed_pool, neighbours
from training.tuning.graph import student_graph
from training.tuning.student import Student, learn
from training.tuning.teacher import opinions, teach, token_vectors
from training.tuning.tokens import Tokens, padded

# As many threads on every machine: sums in another order are another artifact.
_THREADS = 2
_MIN_COSINE = 0.999
_PROVED_ROWS = 64
_NEIGHBOUR_DIMENSIONS = 256
_SIF = 1e-3


class TuningFailed(RuntimeError):
    """The encoder that was written is not the one that was fitted."""


def tune(source: Any, lessons: Lessons, seed: int, graph_file: Path) -> float:
    """Write a tuned encoder's graph; return the least cosine between it and the fitted student.

    `source` is a loaded sentence-transformers model; its own weights are changed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    try:
        student, rows = _student(source, lessons, seed)
        onnx.save(student_graph(student), graph_file)
        return _proved(student, rows[:_PROVED_ROWS], graph_file)
    finally:
        torch.set_num_threads(threads)


def _student(source: Any, lessons: Lessons, seed: int) -> tuple[Student, list[Tokens]]:
    reader = TunedEncoder(source.tokenizer.backend_tokenizer)
    rows = reader.tokens(lessons.labelled)
    near = neighbours(distil(source, _NEIGHBOUR_DIMENSIONS, _SIF), _used(rows, source))
    targets, weights = lessons.labels.targets.astype(np.float32), lessons.labels.weights.astype(np.float32)
    teacher = teach(source, rows, targets, weights, seed)
    pool = [*rows, *disturbed_pool(rows, near, np.random.default_rng(seed)), *reader.tokens(lessons.others)]
    vectors = token_vectors(teacher, len(source.tokenizer))
    return learn(pool, opinions(teacher, pool), vectors, seed), rows


def _used(rows: Sequence[Tokens], source: Any) -> list[int]:
    """Return the tokens that occur, special ones aside."""
    special = set(source.tokenizer.all_special_ids)
    return sorted({token for row in rows for token in row} - special)


def _proved(student: Student, rows: Sequence[Tokens], graph_file: Path) -> float:
    session = open_session(graph_file)
    served = [session.run(None, {"token_ids": np.array(row, dtype=np.int64)})[0] for row in rows]
    with torch.inference_mode():
        fitted = [student.embed(*padded([row], [0]))[0].numpy() for row in rows]
    least = min(_cosine(one, other) for one, other in zip(served, fitted, strict=True))
    if not least >= _MIN_COSINE:
        raise TuningFailed(
            f"The tuned encoder's graph and the fitted student have a cosine of only {least:.4f} "
            f"on a prompt, at least {_MIN_COSINE} is needed. Look at what changed in training.tuning."
        )
    return round(least, 4)


def _cosine(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / lengths if lengths else float(np.array_equal(one, other))
