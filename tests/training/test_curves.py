from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.curves import (
    CurveError,
    area_recovered,
    calls_needed,
    cost_quality_curve,
    performance_from_labels,
)

NEEDED = np.array([2, 0, 1, 0])
outcomes = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=6)


def test_the_perfect_ranking_recovers_all_that_can_be():
    weak, strong = performance_from_labels(NEEDED, tier=0)
    assert area_recovered(np.array([2.0, 0.0, 1.0, 0.0]), weak, strong) == 0.75
    assert calls_needed(np.array([2.0, 0.0, 1.0, 0.0]), weak, strong, 1.0) == 0.5


def test_the_reverse_ranking_mirrors_it():
    weak, strong = performance_from_labels(NEEDED, tier=0)
    assert area_recovered(-np.array([2.0, 0.0, 1.0, 0.0]), weak, strong) == 0.25


@given(outcomes)
def test_equal_scores_count_as_their_average_over_every_order(rows):
    """The straight line across a tie is exactly the mean of the areas of all orders of the tied rows."""
    difficulty = np.array([float(score) for score, _ in rows])
    weak = np.array([quality for _, quality in rows])
    strong = np.ones(len(rows))
    if weak.sum() >= len(rows):
        return
    areas = [
        area_recovered(difficulty + 1e-3 * np.array(order), weak, strong)
        for order in itertools.permutations(range(len(rows)))
    ]
    assert area_recovered(difficulty, weak, strong) == pytest.approx(np.mean(areas))


@given(st.floats(0.05, 1.0))
def test_one_constant_score_needs_as_many_calls_as_it_recovers(share):
    weak, strong = performance_from_labels(NEEDED, tier=0)
    assert calls_needed(np.zeros(4), weak, strong, share) == pytest.approx(share)


def test_where_the_weak_model_is_better_on_a_prompt_sending_it_up_costs_quality():
    curve = cost_quality_curve(
        np.array([3.0, 2.0, 1.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 1.0])
    )
    assert curve.recovered.tolist() == [0.0, -1.0, 0.0, 1.0]
    assert curve.calls_needed(0.5) == pytest.approx(5 / 6)


@pytest.mark.parametrize("strong", [np.zeros(2), np.array([0.5, 0.5])])
def test_a_strong_model_that_is_not_better_is_refused(strong):
    with pytest.raises(CurveError, match="Choose a pair"):
        area_recovered(np.zeros(2), np.array([0.0, 1.0]), strong)


def test_rows_must_match():
    with pytest.raises(CurveError, match="3 difficulties for 2 performances"):
        area_recovered(np.zeros(3), np.zeros(2), np.ones(2))
