"""Which tokens a prompt is made of, as one sparse row: what the heads weigh beside embedding and features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from classifier.encoder import Feed


def token_rows(feeds: Sequence[Feed], vocabulary: int) -> csr_matrix:
    """Return log(1 + count) of every token of every prompt, each row of length 1: sparse [N, vocabulary].

    `feeds` are those of the static encoder, so that serving counts the same tokens.

    >>> feed = {"token_ids": np.array([2, 0, 2])}
    >>> token_rows([feed], 3).toarray().round(2).tolist()
    [[0.53, 0.0, 0.85]]
    """
    starts, places, values = [0], [], []
    for feed in feeds:
        found, counts = np.unique(feed["token_ids"], return_counts=True)
        loudness = np.log1p(counts)
        places.append(found)
        values.append(loudness / np.sqrt(np.sum(loudness**2)))
        starts.append(starts[-1] + len(found))
    return csr_matrix(
        (np.concatenate(values), np.concatenate(places), np.array(starts)), shape=(len(feeds), vocabulary)
    )
