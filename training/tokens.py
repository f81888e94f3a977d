"""The terms of prompts as sparse rows: what heads weigh beside embedding and features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from classifier.encoder import Feed
from classifier.terms import Terms


def token_rows(feeds: Sequence[Feed], vocabulary: int) -> csr_matrix:
    """Return a sparse row per prompt [N, places of `classifier.terms`] from the feeds of the static encoder.

    Places that share a bucket add up, as they do in the artifact's graph.

    >>> feed = {"term_ids": np.array([2, 2], np.int32), "term_weights": np.array([0.5, 0.25], np.float32)}
    >>> float(token_rows([feed], 3)[0, 2])
    0.75
    """
    places = [feed["term_ids"] for feed in feeds]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in places])])
    values = np.concatenate([feed["term_weights"] for feed in feeds]).astype(np.float64)
    shape = (len(feeds), Terms(vocabulary).places)
    rows = csr_matrix((values, np.concatenate(places), starts), shape=shape)
    rows.sum_duplicates()
    return rows
