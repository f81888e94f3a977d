from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import METHODS, Calibration, calibrate

ROWS = 2_000


def told(odds_of, seed=0):
    """Scores, and outcomes that happen as often as the true odds say."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(0.0, 2.0, ROWS)
    happened = draw.random(ROWS) < 1.0 / (1.0 + np.exp(-odds_of(scores)))
    return scores, happened.astype(np.float64), np.ones(ROWS)


def test_scores_that_promise_too_much_are_brought_back():
    scores, target, weight = told(lambda scores: 0.5 * scores + 1.0)
    found = calibrate(scores, target, weight)
    assert found.kind == "sigmoid"
    assert found.slope == pytest.approx(0.5, abs=0.07)
    assert found.intercept == pytest.approx(1.0, abs=0.15)


def test_where_no_sigmoid_fits_another_method_is_chosen():
    scores, target, weight = told(lambda scores: np.where(scores > 0.5, 2.5, -1.0))
    found = calibrate(scores, target, weight)
    assert found.kind == "isotonic"
    assert found.losses["isotonic"] < found.losses["sigmoid"]
    probability = found.apply(np.array([-3.0, 3.0]))
    assert probability == pytest.approx([0.27, 0.92], abs=0.05)


def test_one_side_steeper_than_the_other_is_what_beta_is_for():
    scores, target, weight = told(lambda scores: np.where(scores > 0, 0.3, 2.0) * scores)
    found = calibrate(scores, target, weight)
    assert found.kind != "sigmoid"
    assert METHODS["beta"](scores, target, weight).kind == "beta"


@pytest.mark.parametrize("kind", METHODS)
def test_no_method_turns_the_order_of_scores(kind):
    scores, target, weight = told(lambda scores: np.sin(2 * scores))
    found = METHODS[kind](scores, target, weight).apply(np.linspace(-9, 9, 500))
    assert (np.diff(found) >= -1e-12).all()


@pytest.mark.parametrize("kind", METHODS)
def test_a_target_between_no_and_yes_counts_as_both(kind):
    scores = np.linspace(-1, 1, 60)
    found = METHODS[kind](scores, np.full(60, 0.25), np.ones(60))
    assert found.apply(scores) == pytest.approx(np.full(60, 0.25), abs=0.02)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_probabilities_stay_probabilities(scores):
    found = Calibration(0.7, -0.2, (-1.0, 0.5), (0.4, -0.3)).apply(np.array(scores))
    assert ((found >= 0.0) & (found <= 1.0)).all()
