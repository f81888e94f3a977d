"""Quality starts at the catalog's figures, moves with feedback, and forgets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tables.quality import Quality

PRIOR = {"economy": 0.95, "standard": 0.7, "premium": 0.3}
DAY_S = 86_400.0
shares = st.floats(0, 1)


def quality(**fields):
    return Quality(PRIOR, **{"strength": 20.0, "half_life_s": 30 * DAY_S} | fields)


def test_without_feedback_the_prior_stands():
    assert quality().expected(1e9) == PRIOR


@pytest.mark.parametrize(("score", "moves"), [(1.0, 1), (0.0, -1)])
def test_feedback_moves_the_tier_it_is_about_by_what_the_prior_weighs(score, moves):
    learned = quality()
    learned.observe(score, [("standard", 1.0)], 0.0)
    expected = learned.expected(0.0)
    assert expected["standard"] == pytest.approx((20 * 0.7 + score) / 21)
    assert (expected["standard"] - 0.7) * moves > 0
    assert (expected["economy"], expected["premium"]) == (0.95, 0.3)


def test_a_bad_answer_to_a_prompt_of_unknown_tier_speaks_against_the_tier_that_explains_it():
    learned = quality()
    learned.observe(0.0, [("economy", 0.5), ("premium", 0.5)], 0.0)
    expected = learned.expected(0.0)
    assert PRIOR["premium"] - expected["premium"] > PRIOR["economy"] - expected["economy"] > 0.0


def test_feedback_counts_half_after_its_half_life_and_the_prior_comes_back():
    learned = quality()
    for _ in range(100):
        learned.observe(0.0, [("economy", 1.0)], 0.0)
    now, later, never = (learned.expected(days * DAY_S)["economy"] for days in (0, 30, 3_000))
    assert now == pytest.approx(20 * 0.95 / 120)
    assert later == pytest.approx(20 * 0.95 / 70)
    assert never == pytest.approx(0.95)


def test_many_opinions_outweigh_any_prior():
    learned = quality()
    for _ in range(2_000):
        learned.observe(1.0, [("premium", 1.0)], 0.0)
    assert learned.expected(0.0)["premium"] > 0.99


@given(
    st.lists(st.tuples(shares, shares, st.floats(0, 1e8), st.floats(0, 3)), max_size=30), st.floats(0, 1e9)
)
def test_quality_stays_a_probability_whatever_is_said_and_when(said, now_s):
    learned = quality()
    for score, share, at_s, weight in said:
        learned.observe(score, [("economy", share), ("premium", 1.0 - share)], at_s, weight)
    assert all(0.0 <= value <= 1.0 for value in learned.expected(now_s).values())
