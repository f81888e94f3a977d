"""Which tokens and pairs of tokens a prompt is made of: what heads weigh beside embedding and features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from classifier.encoder import Feed

# Pairs of neighbours share this many weights, by a hash that the graph can compute too: a prime, so that the
# remainders are spread evenly.
PAIR_BUCKETS = 65_521
PAIR_FIRST, PAIR_SECOND = 30_011, 7

Places = npt.NDArray[np.int64]


def token_rows(feeds: Sequence[Feed], vocabulary: int) -> csr_matrix:
    """Return a sparse row per prompt [N, vocabulary + PAIR_BUCKETS]: its tokens, then its pairs of tokens.

    Each half is log(1 + count), of length 1. `feeds` are those of the static encoder, so that serving counts
    the same tokens: those that weigh 1 there, which are the request's own, at its edges where it is long.
    """
    ids = [own_tokens(feed) for feed in feeds]
    singles = counted(ids, vocabulary)
    return hstack([singles, counted([pair_buckets(one) for one in ids], PAIR_BUCKETS)]).tocsr()


def own_tokens(feed: Feed) -> Places:
    """Return 0, so that no prompt is without any, and then the tokens that weigh 1.

    >>> own_tokens({"token_ids": np.array([7, 8]), "token_weights": np.array([1.0, 0.4])}).tolist()
    [0, 7]
    """
    weights = np.asarray(feed["token_weights"], dtype=np.float32)
    kept = np.asarray(feed["token_ids"])[weights >= 1.0]
    return np.concatenate([[0], kept]).astype(np.int64)


def pair_buckets(ids: Places) -> Places:
    """Return the bucket of each token with the one before it; the first has 0 before it.

    >>> pair_buckets(np.array([5])).tolist()
    [35]
    """
    before = np.concatenate([[0], ids[:-1]])
    return np.asarray((before * PAIR_FIRST + ids * PAIR_SECOND) % PAIR_BUCKETS)


def counted(found: Sequence[Places], columns: int) -> csr_matrix:
    """Return log(1 + count) of every place of every row, each row of length 1: sparse [N, columns].

    >>> counted([np.array([2, 0, 2])], 3).toarray().round(2).tolist()
    [[0.53, 0.0, 0.85]]
    """
    starts, places, values = [0], [], []
    for row in found:
        distinct, counts = np.unique(row, return_counts=True)
        loudness = np.log1p(counts)
        places.append(distinct)
        values.append(loudness / np.sqrt(np.sum(loudness**2)))
        starts.append(starts[-1] + len(distinct))
    return csr_matrix(
        (np.concatenate(values), np.concatenate(places), np.array(starts)), shape=(len(found), columns)
    )
