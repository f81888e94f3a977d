"""Whether logged prompts are such as the encoder can read: beyond its vocabulary they teach nothing.

For prompts with text, the share of tokens that the vocabulary has no word for. For logged vectors, the share
of embeddings that lie farther from the corpus than nearly all of the corpus does from the rest of itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from classifier.features import FEATURE_NAMES
from training.feedback_rows import FeedbackRows
from training.pipeline import Material
from training.unknown_words import strange_tokens, unknown_share

Matrix = npt.NDArray[np.float32]

_PIECE = 2_000
# As many of the corpus' own rows lie farther from all others.
_FAR_SHARE = 0.01


def beyond(rows: FeedbackRows, material: Material) -> dict[str, float | None]:
    """Return what lies beyond the encoder, as shares from 0 to 1; None without prompts of the kind."""
    with_text = ~np.isnan(rows.unknown)
    width = rows.inputs.shape[1] - len(FEATURE_NAMES)
    strange = strange_tokens(material.encoder)
    feeds = material.encoder.feeder().feeds([row.reading for row in material.rows])
    corpus = material.examples.inputs[: len(material.rows), :width]
    found = {
        "unknown_tokens": float(rows.unknown[with_text].mean()) if with_text.any() else None,
        "unknown_tokens_corpus": float(np.mean([unknown_share(feed, strange) for feed in feeds])),
        "far_embeddings": far_share(rows.inputs[~with_text, :width], corpus),
    }
    return {name: None if share is None else round(share, 4) for name, share in found.items()}


def far_share(embeddings: Matrix, corpus: Matrix) -> float | None:
    """Return the share of embeddings [N, D] of length 1 far from the corpus [M, D]; None without any.

    >>> plane = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    >>> far_share(np.eye(4, dtype=np.float32)[[0, 1, 2, 3]], plane)
    0.5
    """
    if not len(embeddings) or len(corpus) < 2:
        return None
    own = corpus @ corpus.T
    np.fill_diagonal(own, -1.0)
    bound = float(np.quantile(own.max(axis=1), _FAR_SHARE)) - 1e-6
    nearest = [
        (embeddings[start : start + _PIECE] @ corpus.T).max(axis=1)
        for start in range(0, len(embeddings), _PIECE)
    ]
    return float(np.mean(np.concatenate(nearest) < bound))
