"""What labels of a task's own are worth: a ridge that learns from them what a dearer model gains on a prompt.

A few hundred rows teach more by how much the models differ on each than by one tier's yes or no, and a ridge
that chooses its strictness by itself does not learn their noise by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from training.curves import Numbers, Places

Matrix = npt.NDArray[np.float32]
_STRICTNESS = np.logspace(1.0, 4.5, 8)
# Fewer rows than this teach nothing of a task.
_LEAST_ROWS = 40


def by_own_labels(inputs: Matrix, gain: Numbers, folds: Places, clip: float) -> Numbers:
    """Return the gain to expect on each row [N] by a ridge that has not seen its fold; NaN for too few rows.

    `inputs` [N, D] are embeddings and features, standardised on the rows that are learned from.
    """
    found = np.full(len(gain), np.nan)
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        if inside.sum() < _LEAST_ROWS:
            return np.full(len(gain), np.nan)
        scale = StandardScaler().fit(inputs[inside])
        ridge = RidgeCV(alphas=_STRICTNESS)
        ridge.fit(_clipped(scale, inputs[inside], clip), gain[inside])
        found[outside] = ridge.predict(_clipped(scale, inputs[outside], clip))
    return found


def task_table(tasks: Sequence[str], gain: Numbers, folds: Places) -> Numbers:
    """Return the mean gain of each row's task over the other folds: one figure a task, ties within it.

    >>> task_table(["a", "a", "b", "b"], np.array([1.0, 0.0, 0.5, 0.5]), np.array([0, 1, 0, 1])).tolist()
    [0.0, 1.0, 0.5, 0.5]
    """
    names = np.array(tasks, dtype=object)
    found = np.zeros(len(gain))
    for fold in np.unique(folds):
        for task in dict.fromkeys(tasks):
            there = names == task
            seen = gain[there & (folds != fold)]
            found[there & (folds == fold)] = seen.mean() if len(seen) else 0.0
    return found


def _clipped(scale: StandardScaler, inputs: Matrix, clip: float) -> Numbers:
    return np.asarray(np.clip(scale.transform(inputs), -clip, clip), dtype=np.float64)
