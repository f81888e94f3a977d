"""Numbers to heads: one logistic head per question, its strictness chosen by grouped cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from training.calibration import Sigmoid, calibrate
from training.config import TrainingConfig
from training.labeling import Labels

Matrix = npt.NDArray[np.float32]
Folds = npt.NDArray[np.int64]


# A family's own intercept is as good as free: its column is this large, so that its coefficient can be small.
_FREE = 10.0


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
    inputs: Matrix,
    labels: Labels,
    folds: Folds,
    config: TrainingConfig,
    embedded: int,
    families: npt.NDArray[np.int64] | None = None,
) -> list[Head]:
    """Fit one head per question on the rows that answer it.

    `inputs` [N, D + F]: the first `embedded` columns are embeddings, the others features. `families` [N]:
    0 for rows whose labels mean what the tiers mean; each other number is a family of rows that teaches the
    order within itself only: it has an intercept of its own, which is fitted and then thrown away.
    """
    weights = column_weights(inputs.shape[1], embedded, config.embedding_weight)
    if families is None:
        families = np.zeros(len(inputs), dtype=np.int64)
    rows = _Rows(inputs, labels, folds, families)
    return [_fit_head(rows.answering(head), head, config, weights) for head in range(labels.targets.shape[1])]


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


@dataclass(frozen=True, slots=True)
class _Rows:
    """What one head is fitted on; `labels` still holds every question's targets."""

    inputs: Matrix
    labels: Labels
    folds: Folds
    families: npt.NDArray[np.int64]

    def answering(self, head: int) -> _Rows:
        return self.take(self.labels.answered(head))

    def take(self, chosen: npt.NDArray[np.bool_]) -> _Rows:
        return _Rows(self.inputs[chosen], self.labels.take(chosen), self.folds[chosen], self.families[chosen])


def _fit_head(rows: _Rows, head: int, config: TrainingConfig, weights: npt.NDArray[np.float64]) -> Head:
    served = rows.families == 0
    target, weight = rows.labels.targets[served, head], rows.labels.weights[served]
    if len(np.unique(target)) < 2:
        raise FitError(
            f"Every row says the same of tier {config.tiers[head]!r}, so there is nothing to learn. "
            "Add rows that need a cheaper and a dearer tier."
        )
    scores = {c: _held_out(rows, head, _pipeline(c, config, weights))[served] for c in config.regularisation}
    best = min(scores, key=lambda c: (_loss(target, scores[c], weight), c))
    pipeline = _fitted(rows, head, _pipeline(best, config, weights))
    return Head(pipeline, calibrate(scores[best], target, weight), best)


def _fitted(rows: _Rows, head: int, pipeline: Pipeline) -> Pipeline:
    """Fit the pipeline: scales on the rows of family 0, the logistic on all, with an intercept per family."""
    scaling = pipeline[:-1].fit(rows.inputs[rows.families == 0])
    scaled = scaling.transform(rows.inputs)
    width = scaled.shape[1]
    others = np.setdiff1d(rows.families, [0])
    own = _FREE * (rows.families[:, None] == others)
    target, weight = rows.labels.targets[:, head], rows.labels.weights
    # A target between 0 and 1 is that much of a yes and the rest of a no.
    shares = np.concatenate([weight * target, weight * (1.0 - target)])
    said = np.repeat([1.0, 0.0], len(target))
    counted = shares > 0.0
    logistic = pipeline[-1].fit(
        np.tile(np.hstack([scaled, own]), (2, 1))[counted], said[counted], sample_weight=shares[counted]
    )
    logistic.coef_, logistic.n_features_in_ = logistic.coef_[:, :width], width
    return pipeline


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


def _held_out(rows: _Rows, head: int, pipeline: Pipeline) -> npt.NDArray[np.float64]:
    """Return a raw score for every row from a head that has not seen its fold."""
    scores = np.zeros(len(rows.inputs))
    for fold in np.unique(rows.folds):
        inside = rows.take(rows.folds != fold)
        if len(np.unique(inside.labels.targets[inside.families == 0, head])) < 2:
            raise FitError(f"Fold {fold} holds every row of one answer. Add rows, or take fewer folds.")
        outside = rows.folds == fold
        scores[outside] = _fitted(inside, head, pipeline).decision_function(rows.inputs[outside])
    return scores


def _loss(target: Any, scores: Any, weight: Any) -> float:
    """Return the mean cross-entropy; targets may lie between 0 and 1."""
    losses = np.logaddexp(0.0, scores) - target * scores
    return round(float(np.average(losses, weights=weight)), 9)
