"""A pool of texts to copy the teacher on: real prompts, and many disturbed, cut and mixed ones.

Near neighbours for words, as in TinyBERT's augmentation (Jiao et al., 2020); what a disturbed text needs is
for the teacher to say, so that no label is invented.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from training.tuning.tokens import Tokens

COPIES = 8
_NEIGHBOURS = 12
_SHARES = (0.1, 0.2, 0.35, 0.5)
_SHORTEST_CUT = 24


def neighbours(vectors: npt.NDArray[np.float32], used: Sequence[int]) -> dict[int, npt.NDArray[np.int64]]:
    """Return the tokens nearest to each used one by cosine, among the used ones.

    >>> table = np.eye(3, dtype=np.float32) + 0.1
    >>> sorted(neighbours(table, [0, 1, 2])[0].tolist())
    [1, 2]
    """
    places = np.asarray(used)
    chosen = vectors[places]
    chosen = chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-9)
    alike = chosen @ chosen.T
    np.fill_diagonal(alike, -np.inf)
    count = min(_NEIGHBOURS, len(places) - 1)
    nearest = np.argsort(-alike, axis=1)[:, :count]
    return {int(token): places[row] for token, row in zip(places, nearest, strict=True)}


def disturbed_pool(
    rows: Sequence[Tokens], near: dict[int, npt.NDArray[np.int64]], rng: np.random.Generator
) -> list[Tokens]:
    """Return COPIES disturbed versions of each row, one cut, and one mixed with another row."""
    tokens = np.array(sorted(near), dtype=np.int64)
    pool: list[Tokens] = []
    for row in rows:
        pool += [_disturbed(row, near, tokens, rng) for _ in range(COPIES)]
        other = rows[int(rng.integers(len(rows)))]
        pool += [_cut(row, rng), _cut(row, rng) + _cut(other, rng)]
    return pool


def _disturbed(
    row: Tokens,
    near: dict[int, npt.NDArray[np.int64]],
    tokens: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> Tokens:
    """Replace, drop and insert tokens, and often keep only a stretch of the text."""
    share = _SHARES[int(rng.integers(len(_SHARES)))]
    found: Tokens = []
    for token, drawn in zip(row, rng.random(len(row)), strict=True):
        if drawn < 0.75 * share and token in near:
            found.append(int(rng.choice(near[token])))
        elif drawn < 0.85 * share:
            continue
        elif drawn < share:
            found += [token, int(rng.choice(tokens))]
        else:
            found.append(token)
    if len(found) > _SHORTEST_CUT and rng.random() < 0.5:
        kept = int(rng.integers(8, len(found) + 1))
        start = int(rng.choice([0, len(found) - kept, int(rng.integers(len(found) - kept + 1))]))
        found = found[start : start + kept]
    return found or row[:1]


def _cut(row: Tokens, rng: np.random.Generator) -> Tokens:
    kept = int(rng.integers(3, 31))
    return row[:kept] if rng.random() < 0.5 else row[-kept:]
