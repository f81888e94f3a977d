"""Other ways to answer the same questions, by the same folds: what the logistic heads are chosen over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.config import TrainingConfig
from training.fit import Examples, column_weights

_SMALLEST = 1e-6

Blocks = Any
Candidate = tuple[Callable[[TrainingConfig], Any], bool]


def _logistic(config: TrainingConfig) -> Any:
    return LogisticRegression(C=config.regularisation[0], max_iter=500)


def _boosting(config: TrainingConfig) -> Any:
    return HistGradientBoostingClassifier(
        learning_rate=0.06, max_iter=80, max_leaf_nodes=15, l2_regularization=1.0, random_state=config.seed
    )


def _neighbours(config: TrainingConfig) -> Any:
    return KNeighborsClassifier(n_neighbors=25, weights="distance")


def _network(config: TrainingConfig) -> Any:
    layers = MLPClassifier(
        (32,), alpha=3.0, learning_rate_init=3e-3, max_iter=60, n_iter_no_change=60, random_state=config.seed
    )
    return make_pipeline(StandardScaler(), layers)


# A name, how it is made, and whether it sees the single tokens beside embedding and features.
CANDIDATES: Mapping[str, Candidate] = {
    "logistic": (_logistic, False),
    "logistic with tokens": (_logistic, True),
    "gradient boosting": (_boosting, False),
    "25 nearest neighbours": (_neighbours, False),
    "network of 32 units": (_network, False),
}


def compare_candidates(
    examples: Examples, config: TrainingConfig, embedded: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return area under the curve and log loss per candidate and head, each row scored out of its fold.

    Only rows of family 0 take part; scores are raw, before any calibration.
    """
    own = examples.take(examples.families == 0)
    weights = column_weights(own.inputs.shape[1], embedded, config.embedding_weight)
    with threadpool_limits(1):
        return {
            name: {
                tier: _figures(own, head, weights, config, candidate)
                for head, tier in enumerate(config.tiers[:-1])
            }
            for name, candidate in CANDIDATES.items()
            if own.tokens is not None or not candidate[1]
        }


def _figures(
    examples: Examples,
    head: int,
    weights: npt.NDArray[np.float64],
    config: TrainingConfig,
    candidate: Candidate,
) -> dict[str, float]:
    make, sees_tokens = candidate
    target = (examples.labels.targets[:, head] >= 0.5).astype(int)
    found = np.zeros(len(target))
    for fold in np.unique(examples.folds):
        inside, outside = examples.folds != fold, examples.folds == fold
        columns = _columns(examples, inside, weights, config, sees_tokens)
        model = make(config).fit(columns[inside], target[inside])
        found[outside] = model.predict_proba(columns[outside])[:, 1]
    found = np.clip(found, _SMALLEST, 1.0 - _SMALLEST)
    return {
        "auc": round(float(roc_auc_score(target, found)), 4),
        "log_loss": round(float(log_loss(target, found)), 4),
    }


def _columns(
    examples: Examples,
    inside: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    config: TrainingConfig,
    sees_tokens: bool,
) -> Blocks:
    """Return every row as the logistic heads see it, scaled by the rows inside."""
    scaled = StandardScaler().fit(examples.inputs[inside]).transform(examples.inputs)
    dense = np.clip(scaled, -config.clip, config.clip) * weights
    if not sees_tokens or examples.tokens is None:
        return dense
    return hstack([csr_matrix(dense), config.token_weight * examples.tokens]).tocsr()
