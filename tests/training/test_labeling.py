from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.labeling import graded, observed

TIERS = ("a", "b", "c", "d")


@given(st.lists(st.sampled_from(TIERS), min_size=1))
def test_a_graded_row_answers_every_question_and_never_takes_an_answer_back(required):
    targets = graded(required, TIERS).targets
    assert targets.shape == (len(required), 3)
    assert not np.isnan(targets).any()
    assert (np.diff(targets, axis=1) >= 0).all()
    assert targets.sum(axis=1).tolist() == [3 - min(3, TIERS.index(tier)) for tier in required]


def test_a_good_answer_says_nothing_of_cheaper_tiers():
    assert np.array_equal(observed([("c", True)], TIERS).targets, [[np.nan, np.nan, 1.0]], equal_nan=True)


def test_a_bad_answer_says_nothing_of_dearer_tiers():
    assert np.array_equal(observed([("b", False)], TIERS).targets, [[0.0, 0.0, np.nan]], equal_nan=True)


def test_a_good_answer_of_the_highest_tier_says_nothing_at_all():
    assert np.isnan(observed([("d", True)], TIERS).targets).all()


def test_a_head_sees_only_the_rows_that_answer_it():
    labels = observed([("a", True), ("c", True), ("b", False)], TIERS)
    assert labels.answered(0).tolist() == [True, False, True]
    assert labels.take(np.array([False, True, True])).answered(2).tolist() == [True, False]
