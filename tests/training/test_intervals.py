from __future__ import annotations

import numpy as np
import pytest

from training.curves import CurveError
from training.intervals import (
    Interval,
    IntervalError,
    bootstrap_interval,
    compared,
    difference_interval,
    said_of,
)

HITS = np.arange(200) % 4 == 0


def mean(chosen):
    return float(HITS[chosen].mean())


def test_an_interval_holds_its_figure_and_shrinks_with_the_root_of_the_rows():
    found = bootstrap_interval(mean, 200)
    assert found.value == 0.25
    # 1.96 standard errors of a share of 0.25 on 200 rows
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 * 0.75 / 200), rel=0.1)


def test_the_same_seed_gives_the_same_interval():
    assert bootstrap_interval(mean, 200, seed=3) == bootstrap_interval(mean, 200, seed=3)
    assert bootstrap_interval(mean, 200, seed=3, rounds=1) != bootstrap_interval(mean, 200, seed=4, rounds=1)


def test_rows_of_one_group_count_as_one_piece_of_evidence():
    alone = bootstrap_interval(mean, 200)
    in_fours = bootstrap_interval(mean, 200, groups=[place % 4 for place in range(200)])
    assert in_fours.high - in_fours.low > 3 * (alone.high - alone.low)


def test_a_paired_difference_is_surer_than_its_two_figures():
    noise = np.random.default_rng(0).normal(size=200)

    def first(chosen):
        return float((noise + 0.1)[chosen].mean())

    def second(chosen):
        return float(noise[chosen].mean())

    found = difference_interval(first, second, 200)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))
    assert compared(found) == {"value": 0.1, "low": 0.1, "high": 0.1, "said": "better"}


def test_better_is_only_said_when_zero_is_outside():
    assert said_of(Interval(0.1, 0.0, 0.2)) == "not told apart"
    assert said_of(Interval(-0.1, -0.2, -0.01)) == "worse"
    assert said_of(Interval(-0.1, -0.2, -0.01), more_is_better=False) == "better"


def test_a_figure_that_most_resamples_cannot_define_is_refused():
    def undefined(chosen):
        raise CurveError("no gap")

    with pytest.raises(IntervalError, match="Only 0 of 10 resamples of 5 rows"):
        bootstrap_interval(undefined, 5, rounds=10)


def test_every_row_needs_its_group():
    with pytest.raises(IntervalError, match="2 groups for 3 rows"):
        bootstrap_interval(mean, 3, groups=["a", "b"])
