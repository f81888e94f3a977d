from __future__ import annotations

import numpy as np
import pytest

from training.calibration import calibrate
from training.evaluation import calibration_error


def test_scores_that_promise_too_much_are_brought_down():
    draw = np.random.default_rng(1)
    honest = draw.normal(size=4_000)
    happened = draw.random(4_000) < 1.0 / (1.0 + np.exp(-honest))
    found = calibrate(3.0 * honest + 1.0, happened.astype(float), np.ones(4_000))
    assert found.slope == pytest.approx(1 / 3, abs=0.03)
    assert found.intercept == pytest.approx(-1 / 3, abs=0.1)
    assert calibration_error(found.apply(3.0 * honest + 1.0), happened) < 0.03


def test_calibration_never_turns_the_order_round():
    scores = np.array([-2.0, -1.0, 1.0, 2.0] * 10)
    backwards = (scores < 0).astype(float)
    assert calibrate(scores, backwards, np.ones(40)).slope > 0.0


def test_rows_without_weight_do_not_count():
    scores, target = np.array([-1.0, 1.0, 5.0, -5.0] * 20), np.array([0.0, 1.0, 0.0, 1.0] * 20)
    weight = np.array([1.0, 1.0, 0.0, 0.0] * 20)
    kept = weight > 0
    with_zeros, without = (
        calibrate(scores, target, weight),
        calibrate(scores[kept], target[kept], weight[kept]),
    )
    assert with_zeros.slope == pytest.approx(without.slope, rel=1e-3)
