"""Prompts as token ids, as serving feeds them, in batches of about one length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

Tokens = list[int]


def batches(
    rows: Sequence[Tokens], chosen: Sequence[int], size: int, rng: np.random.Generator
) -> list[list[int]]:
    """Return every chosen place once, in batches of alike length, in a random order.

    >>> sorted(sum(batches([[1], [1, 2], [3]], [0, 1, 2], 2, np.random.default_rng(0)), []))
    [0, 1, 2]
    """
    noise = rng.random(len(chosen)) * 10.0
    order = [
        chosen[place] for place in np.argsort([len(rows[one]) + noise[n] for n, one in enumerate(chosen)])
    ]
    found = [order[start : start + size] for start in range(0, len(order), size)]
    return [found[place] for place in rng.permutation(len(found))]


def padded(rows: Sequence[Tokens], batch: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the token ids of a batch and which of them are real, both int64 [B, longest]."""
    longest = max(len(rows[place]) for place in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, place in enumerate(batch):
        tokens = rows[place]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    return ids, mask
