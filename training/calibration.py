"""Raw scores to probabilities that mean what they say: sigmoid, beta or isotonic, chosen on held-out scores.

All three are written in one form, a broken line from score to log odds, so that one graph serves each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

Numbers = npt.NDArray[np.float64]

_FOLDS = 5
# A curve is written with so many knots; more would say no more about some hundred rows.
_KNOTS = 24
# A probability of 0 or 1 is more than some hundred rows can promise.
_SURE_LOGIT = 5.0
# How much better than the sigmoid, in log loss, another must be on rows it was not fitted on.
_WORTH_ITS_BENDS = 1e-3
# Fewer rows only allow the sigmoid: curves of many parts follow the noise (Niculescu-Mizil and Caruana,
# "Predicting good probabilities with supervised learning", ICML 2005).
_LEAST_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Calibration:
    """log odds = slope · score + intercept + Σ bend · max(0, score - knot); the probability is their sigmoid.

    `kind` says which method it was fitted with, `losses` the log loss of each on rows it had not seen.
    """

    slope: float
    intercept: float
    knots: tuple[float, ...] = ()
    bends: tuple[float, ...] = ()
    kind: str = "sigmoid"
    losses: Mapping[str, float] | None = None

    def apply(self, scores: Numbers) -> Numbers:
        """Return the probabilities of raw scores.

        >>> Calibration(1.0, 0.0).apply(np.array([0.0, 1000.0, -1000.0])).tolist()
        [0.5, 1.0, 0.0]
        """
        # tanh cannot overflow where exp can.
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * self.log_odds(scores))))

    def log_odds(self, scores: Numbers) -> Numbers:
        """Return the log odds of raw scores."""
        above = np.maximum(0.0, scores[:, None] - np.array(self.knots)[None, :])
        return np.asarray(self.slope * scores + self.intercept + above @ np.array(self.bends))


def calibrate(scores: Numbers, target: Numbers, weight: Numbers, seed: int = 7) -> Calibration:
    """Fit the method that keeps its promises best, on scores of rows that the head has not seen.

    Targets may lie between 0 and 1: that much of a yes, and the rest of a no.
    """
    if len(scores) < _LEAST_ROWS:
        return fit_sigmoid(scores, target, weight)
    folds = np.random.default_rng(seed).permutation(len(scores)) % _FOLDS
    losses = {}
    for kind, fit in METHODS.items():
        odds = np.zeros(len(scores))
        for fold in range(_FOLDS):
            inside, outside = folds != fold, folds == fold
            odds[outside] = fit(scores[inside], target[inside], weight[inside]).log_odds(scores[outside])
        losses[kind] = round(_log_loss(odds, target, weight), 5)
    best = min(losses, key=lambda kind: losses[kind])
    chosen = best if losses[best] < losses["sigmoid"] - _WORTH_ITS_BENDS else "sigmoid"
    found = METHODS[chosen](scores, target, weight)
    return Calibration(found.slope, found.intercept, found.knots, found.bends, chosen, losses)


def fit_sigmoid(scores: Numbers, target: Numbers, weight: Numbers) -> Calibration:
    """Fit a sigmoid (Platt, "Probabilistic outputs for support vector machines", 1999)."""
    slope, intercept = _logistic(scores[:, None], target, weight)
    # The slope must not turn, or order would be lost.
    return Calibration(max(1e-3, slope[0]), intercept)


def fit_beta(scores: Numbers, target: Numbers, weight: Numbers) -> Calibration:
    """Fit a beta calibration (Kull, Silva Filho and Flach, AISTATS 2017), as a broken line."""
    (up, down), intercept = _logistic(_beta_terms(scores), target, weight)
    up, down = max(1e-3, up), max(1e-3, down)
    at = np.unique(np.quantile(scores, np.linspace(0.0, 1.0, _KNOTS)))
    return _broken_line(at, _beta_terms(at) @ np.array([up, down]) + intercept, "beta", flat_ends=False)


def fit_isotonic(scores: Numbers, target: Numbers, weight: Numbers) -> Calibration:
    """Fit isotonic regression (Zadrozny and Elkan, KDD 2002), its steps joined by lines between middles."""
    places, said, shares = yes_and_no(target, weight)
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(scores[places], said, sample_weight=shares)
    values = fitted.predict(scores)
    at, odds = [], []
    for value in np.unique(values):
        step = values == value
        # One row more of either kind: a step of few rows promises less.
        total = weight[step].sum()
        share = (value * total + 1.0) / (total + 2.0)
        at.append(float(scores[step].mean()))
        odds.append(float(np.log(share / (1.0 - share))))
    kept = np.unique(np.linspace(0, len(at) - 1, _KNOTS).astype(int))
    line = np.maximum.accumulate(np.clip(np.array(odds)[kept], -_SURE_LOGIT, _SURE_LOGIT))
    return _broken_line(np.array(at)[kept], line, "isotonic", flat_ends=True)


METHODS: Mapping[str, Callable[[Numbers, Numbers, Numbers], Calibration]] = {
    "sigmoid": fit_sigmoid,
    "beta": fit_beta,
    "isotonic": fit_isotonic,
}


def yes_and_no(target: Numbers, weight: Numbers) -> tuple[npt.NDArray[np.int64], Numbers, Numbers]:
    """Split rows with targets in 0..1 into a yes and a no of that weight: the row, 1 or 0, the weight.

    >>> [part.tolist() for part in yes_and_no(np.array([1.0, 0.25]), np.array([1.0, 2.0]))]
    [[0, 1, 1], [1.0, 1.0, 0.0], [1.0, 0.5, 1.5]]
    """
    shares = np.concatenate([weight * target, weight * (1.0 - target)])
    counted = shares > 0.0
    places = np.tile(np.arange(len(target)), 2)
    said = np.repeat([1.0, 0.0], len(target))
    return places[counted], said[counted], shares[counted]


def _logistic(columns: Numbers, target: Numbers, weight: Numbers) -> tuple[list[float], float]:
    # Nearly unregularised: two or three numbers on hundreds of rows.
    places, said, shares = yes_and_no(target, weight)
    fitted = LogisticRegression(C=1e4, tol=1e-8, max_iter=1_000).fit(
        columns[places], said, sample_weight=shares
    )
    return [float(one) for one in fitted.coef_[0]], float(fitted.intercept_[0])


def _beta_terms(scores: Numbers) -> Numbers:
    """Return ln p and -ln(1 - p) of p = sigmoid(score) [N, 2]."""
    return np.stack([-np.logaddexp(0.0, -scores), np.logaddexp(0.0, scores)], axis=1)


def _broken_line(at: Numbers, odds: Numbers, kind: str, *, flat_ends: bool) -> Calibration:
    """Return the line through the points (at, odds): beyond them flat, or as steep as its outer parts."""
    if len(at) < 2:
        return Calibration(0.0, float(odds[0]), kind=kind)
    slopes = np.diff(odds) / np.diff(at)
    if flat_ends:
        bends = np.diff(np.concatenate([[0.0], slopes, [0.0]]))
        return Calibration(0.0, float(odds[0]), tuple(at.tolist()), tuple(bends.tolist()), kind)
    bends = np.diff(slopes)
    intercept = float(odds[0] - slopes[0] * at[0])
    return Calibration(float(slopes[0]), intercept, tuple(at[1:-1].tolist()), tuple(bends.tolist()), kind)


def _log_loss(odds: Numbers, target: Numbers, weight: Numbers) -> float:
    return float(np.average(np.logaddexp(0.0, odds) - target * odds, weights=weight))
