"""Numbers to heads: one logistic head per question, its strictness chosen by grouped cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from training.calibration import Sigmoid, calibrate
from training.config import TrainingConfig
from training.labeling import Labels

Matrix = npt.NDArray[np.float32]
Folds = npt.NDArray[np.int64]


class FitError(ValueError):
    """The labels do not allow a head to be fitted."""


@dataclass(frozen=True, slots=True)
class Head:
    """One question's pipeline (standardise, clip, weigh, logistic), its calibration and its chosen C."""

    pipeline: Pipeline
    calibration: Sigmoid
    c: float

    def probability(self, inputs: Matrix) -> npt.NDArray[np.float64]:
        """Return the calibrated probability that the tier is enough, per row."""
        return self.calibration.apply(self.pipeline.decision_function(inputs))


def fit_heads(
    inputs: Matrix, labels: Labels, folds: Folds, config: TrainingConfig, embedded: int
) -> list[Head]:
    """Fit one head per question on the rows that answer it.

    `inputs` [N, D + F]: the first `embedded` columns are embeddings, the others features.
    """
    weights = column_weights(inputs.shape[1], embedded, config.embedding_weight)
    return [
        _fit_head(inputs, labels, head, folds, config, weights) for head in range(labels.targets.shape[1])
    ]


def column_weights(columns: int, embedded: int, embedding_weight: float) -> npt.NDArray[np.float64]:
    """Return a factor per standardised column, so that a block counts as a whole and not by its width.

    >>> column_weights(5, 1, 0.5).tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5]
    """
    weights = np.full(columns, 1.0 / np.sqrt(max(1, columns - embedded)))
    weights[:embedded] = embedding_weight / np.sqrt(max(1, embedded))
    return weights


def sufficiency(heads: Sequence[Head], inputs: Matrix) -> npt.NDArray[np.float64]:
    """Return P(required ≤ tier), [N, K]: no head may promise more than one above it allows."""
    raw = np.stack([head.probability(inputs) for head in heads], axis=1)
    monotone = np.minimum.accumulate(raw[:, ::-1], axis=1)[:, ::-1]
    return np.hstack([monotone, np.ones((len(inputs), 1))])


def _fit_head(
    inputs: Matrix,
    labels: Labels,
    head: int,
    folds: Folds,
    config: TrainingConfig,
    weights: npt.NDArray[np.float64],
) -> Head:
    answered = labels.answered(head)
    rows, target, weight = inputs[answered], labels.targets[answered, head], labels.weights[answered]
    if len(np.unique(target)) < 2:
        raise FitError(
            f"Every row says the same of tier {config.tiers[head]!r}, so there is nothing to learn. "
            "Add rows that need a cheaper and a dearer tier."
        )
    scores = {
        c: _held_out(rows, target, weight, folds[answered], _pipeline(c, config, weights))
        for c in config.regularisation
    }
    best = min(scores, key=lambda c: (_loss(target, scores[c], weight), c))
    pipeline = _pipeline(best, config, weights)
    pipeline.fit(rows, target, logistic__sample_weight=weight)
    return Head(pipeline, calibrate(scores[best], target, weight), best)


def _pipeline(c: float, config: TrainingConfig, weights: npt.NDArray[np.float64]) -> Pipeline:
    return Pipeline(
        [
            ("standardise", StandardScaler()),
            # One strange prompt must not outweigh all else.
            ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -config.clip, "a_max": config.clip})),
            ("weigh", FunctionTransformer(_weigh, kw_args={"weights": weights})),
            # Newton: a few exact steps, where L-BFGS took seven times as long to come as near.
            ("logistic", LogisticRegression(C=c, solver="newton-cholesky", max_iter=100, tol=1e-6)),
        ]
    )


def _weigh(inputs: Matrix, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return inputs * weights


def _held_out(
    rows: Matrix,
    target: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    folds: Folds,
    pipeline: Pipeline,
) -> npt.NDArray[np.float64]:
    """Return a raw score for every row from a head that has not seen its fold."""
    scores = np.zeros(len(rows))
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        if len(np.unique(target[inside])) < 2:
            raise FitError(f"Fold {fold} holds every row of one answer. Add rows, or take fewer folds.")
        pipeline.fit(rows[inside], target[inside], logistic__sample_weight=weight[inside])
        scores[outside] = pipeline.decision_function(rows[outside])
    return scores


def _loss(target: Any, scores: Any, weight: Any) -> float:
    return round(float(log_loss(target, 1.0 / (1.0 + np.exp(-scores)), sample_weight=weight)), 9)
