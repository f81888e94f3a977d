"""Numbers to heads: one logistic head per question, its strictness chosen by grouped cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.calibration import Calibration, calibrate, yes_and_no
from training.config import TrainingConfig
from training.executor import Executor, LocalExecutor
from training.labeling import Labels
from training.trees import fit_trees, with_score

Matrix = npt.NDArray[np.float32]
Folds = npt.NDArray[np.int64]


# A family's own intercept is as good as free: its column is this large, so that its coefficient can be small.
_FREE = 10.0


class FitError(ValueError):
    """The labels do not allow a head to be fitted."""


@dataclass(frozen=True, slots=True)
class Head:
    """One question's pipeline (standardise, clip, weigh, logistic), its calibration and its chosen C.

    `words` [V] is the weight of each token of the static encoder, None where the heads do not count tokens.
    `trees` stand on top of the linear score where they were better on held-out rows, else None; `losses` are
    the log losses of both there.
    """

    pipeline: Pipeline
    calibration: Calibration
    c: float
    words: npt.NDArray[np.float64] | None = None
    trees: Any = None
    losses: Mapping[str, float] = field(default_factory=dict)

    def probability(self, inputs: Matrix, tokens: csr_matrix | None = None) -> npt.NDArray[np.float64]:
        """Return the calibrated probability that the tier is enough, per row."""
        scores = _scores(self.pipeline, self.words, inputs, tokens)
        if self.trees is not None:
            scores = self.trees.decision_function(with_score(inputs, scores))
        return self.calibration.apply(scores)


@dataclass(frozen=True, slots=True)
class Examples:
    """What heads are fitted on, row by row.

    `inputs` [N, D + F]: embeddings, then features. `families` [N]: 0 for rows whose labels mean what the
    tiers mean; each other number is a family of rows that teaches the order within itself only: it has an
    intercept of its own, which is fitted and then thrown away. `tokens` [N, V] is None where tokens do not
    count.
    """

    inputs: Matrix
    labels: Labels
    folds: Folds
    families: npt.NDArray[np.int64]
    tokens: csr_matrix | None = None

    def take(self, chosen: npt.NDArray[np.bool_]) -> Examples:
        """Return some of the rows."""
        return Examples(
            self.inputs[chosen],
            self.labels.take(chosen),
            self.folds[chosen],
            self.families[chosen],
            None if self.tokens is None else self.tokens[chosen],
        )

    def and_then(self, others: Examples) -> Examples:
        """Return these rows followed by others; both count tokens, or neither does."""
        tokens = None if self.tokens is None else vstack([self.tokens, others.tokens]).tocsr()
        return Examples(
            np.vstack([self.inputs, others.inputs]),
            self.labels.and_then(others.labels),
            np.concatenate([self.folds, others.folds]),
            np.concatenate([self.families, others.families]),
            tokens,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """What the heads of one fit share."""

    examples: Examples
    config: TrainingConfig
    weights: npt.NDArray[np.float64]


def fit_heads(
    examples: Examples, config: TrainingConfig, embedded: int, executor: Executor | None = None
) -> list[Head]:
    """Fit one head per question on the rows that answer it; the first `embedded` inputs are embeddings."""
    weights = column_weights(examples.inputs.shape[1], embedded, config.embedding_weight)
    heads = range(examples.labels.targets.shape[1])
    return list((executor or LocalExecutor(1)).map(_fit_one, _Work(examples, config, weights), heads))


def _fit_one(work: _Work, head: int) -> Head:
    answered = work.examples.take(work.examples.labels.answered(head))
    return _fit_head(answered, head, work.config, work.weights)


def column_weights(columns: int, embedded: int, embedding_weight: float) -> npt.NDArray[np.float64]:
    """Return a factor per standardised column, so that a block counts as a whole and not by its width.

    >>> column_weights(5, 1, 0.5).tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5]
    """
    weights = np.full(columns, 1.0 / np.sqrt(max(1, columns - embedded)))
    weights[:embedded] = embedding_weight / np.sqrt(max(1, embedded))
    return weights


def sufficiency(
    heads: Sequence[Head], inputs: Matrix, tokens: csr_matrix | None = None
) -> npt.NDArray[np.float64]:
    """Return P(required ≤ tier), [N, K]: no head may promise more than one above it allows."""
    raw = np.stack([head.probability(inputs, tokens) for head in heads], axis=1)
    monotone = np.minimum.accumulate(raw[:, ::-1], axis=1)[:, ::-1]
    return np.hstack([monotone, np.ones((len(inputs), 1))])


def fit_order(examples: Examples, head: int, c: float, config: TrainingConfig, embedded: int) -> Fitted:
    """Fit one question at one strictness, without calibration: what ranks prompts, and no more."""
    weights = column_weights(examples.inputs.shape[1], embedded, config.embedding_weight)
    answered = examples.take(examples.labels.answered(head))
    with threadpool_limits(1):
        return _fitted(answered, head, _pipeline(c, config, weights), config.token_weight)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted pipeline and its weights per token."""

    pipeline: Pipeline
    words: npt.NDArray[np.float64] | None

    def scores(self, examples: Examples) -> npt.NDArray[np.float64]:
        """Return the raw score of each row: the higher, the surer that the tier is enough."""
        return _scores(self.pipeline, self.words, examples.inputs, examples.tokens)


def _fit_head(
    examples: Examples, head: int, config: TrainingConfig, weights: npt.NDArray[np.float64]
) -> Head:
    served = examples.families == 0
    target, weight = examples.labels.targets[served, head], examples.labels.weights[served]
    if len(np.unique(target)) < 2:
        raise FitError(
            f"Every row says the same of tier {config.tiers[head]!r}, so there is nothing to learn. "
            "Add rows that need a cheaper and a dearer tier."
        )
    scores = {
        c: _held_out(examples, head, _pipeline(c, config, weights), config.token_weight)[served]
        for c in config.regularisation
    }
    best = min(scores, key=lambda c: (_loss(target, scores[c], weight), c))
    fitted = _fitted(examples, head, _pipeline(best, config, weights), config.token_weight)
    linear, losses = scores[best], {"linear": _loss(target, scores[best], weight)}
    trees, raw = None, linear
    if config.trees:
        columns = with_score(examples.inputs[served], linear)
        stacked = _trees_held_out(columns, target, weight, examples.folds[served], config)
        losses["trees"] = _loss(target, stacked, weight)
        if losses["trees"] < losses["linear"]:
            trees, raw = _trees(columns, target, weight, config), stacked
    calibration = calibrate(raw, target, weight, config.seed)
    return Head(fitted.pipeline, calibration, best, fitted.words, trees, losses)


def _trees_held_out(
    columns: Matrix,
    target: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    folds: Folds,
    config: TrainingConfig,
) -> npt.NDArray[np.float64]:
    """Return a raw score for every row from trees that have not seen its fold."""
    found = np.zeros(len(columns))
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        model = _trees(columns[inside], target[inside], weight[inside], config)
        found[outside] = model.decision_function(columns[outside])
    return found


def _trees(
    columns: Matrix, target: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], config: TrainingConfig
) -> Any:
    return fit_trees(columns, target, weight, config.trees, config.seed, config.tree_bins)


def _fitted(examples: Examples, head: int, pipeline: Pipeline, token_weight: float) -> Fitted:
    """Fit the pipeline: scales on the rows of family 0, the logistic on all, with an intercept per family."""
    own = examples.families == 0
    # Scales are those of the rows that are served; where there are none, of all.
    scaling = pipeline[:-1].fit(examples.inputs[own] if own.any() else examples.inputs)
    scaled = scaling.transform(examples.inputs)
    width = scaled.shape[1]
    others = np.setdiff1d(examples.families, [0])
    columns = np.hstack([scaled, _FREE * (examples.families[:, None] == others)])
    if examples.tokens is not None:
        # A token of no row would weigh nothing: the fit is the same without its column, and faster.
        seen = np.flatnonzero(examples.tokens.getnnz(axis=0))
        columns = hstack([csr_matrix(columns), token_weight * examples.tokens[:, seen]]).tocsr()
    # A target between 0 and 1 is that much of a yes and the rest of a no.
    target, weight = examples.labels.targets[:, head], examples.labels.weights
    places, said, shares = yes_and_no(target, weight)
    logistic = pipeline[-1].fit(columns[places], said, sample_weight=shares)
    coefficients = logistic.coef_[0]
    words = None
    if examples.tokens is not None:
        words = np.zeros(examples.tokens.shape[1])
        words[seen] = token_weight * coefficients[width + len(others) :]
    logistic.coef_, logistic.n_features_in_ = logistic.coef_[:, :width], width
    return Fitted(pipeline, words)


def _scores(
    pipeline: Pipeline, words: npt.NDArray[np.float64] | None, inputs: Matrix, tokens: csr_matrix | None
) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = pipeline.decision_function(inputs)
    return found if words is None or tokens is None else found + tokens @ words


def _pipeline(c: float, config: TrainingConfig, weights: npt.NDArray[np.float64]) -> Pipeline:
    return Pipeline(
        [
            ("standardise", StandardScaler()),
            # One strange prompt must not outweigh all else.
            ("clip", FunctionTransformer(np.clip, kw_args={"a_min": -config.clip, "a_max": config.clip})),
            ("weigh", FunctionTransformer(_weigh, kw_args={"weights": weights})),
            ("logistic", LogisticRegression(C=c, max_iter=500, tol=1e-4)),
        ]
    )


def _weigh(inputs: Matrix, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return inputs * weights


def _held_out(
    examples: Examples, head: int, pipeline: Pipeline, token_weight: float
) -> npt.NDArray[np.float64]:
    """Return a raw score for every row from a head that has not seen its fold."""
    scores = np.zeros(len(examples.inputs))
    for fold in np.unique(examples.folds):
        inside = examples.take(examples.folds != fold)
        if len(np.unique(inside.labels.targets[inside.families == 0, head])) < 2:
            raise FitError(f"Fold {fold} holds every row of one answer. Add rows, or take fewer folds.")
        outside = examples.folds == fold
        scores[outside] = _fitted(inside, head, pipeline, token_weight).scores(examples.take(outside))
    return scores


def _loss(target: Any, scores: Any, weight: Any) -> float:
    """Return the mean cross-entropy; targets may lie between 0 and 1."""
    losses = np.logaddexp(0.0, scores) - target * scores
    return round(float(np.average(losses, weights=weight)), 9)
