"""Held-out feedback judges two artifacts on what was graded, by its weight, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from training.off_policy import HeldOut, area, log_loss, over_routed, under_routed

TIERS = ("economy", "standard", "premium")
NAN = np.nan


def rows(targets, candidate, champion, weights=None, groups=None):
    count = len(targets)
    return HeldOut(
        np.array(targets, dtype=float),
        np.ones(count) if weights is None else np.array(weights, dtype=float),
        list(range(count)) if groups is None else groups,
        np.array(candidate, dtype=float),
        np.array(champion, dtype=float),
    )


ECONOMY, STANDARD, PREMIUM = [0.9, 0.95, 1.0], [0.1, 0.9, 1.0], [0.1, 0.2, 1.0]


def test_a_choice_that_nobody_graded_counts_neither_way():
    found = rows(
        [[0, NAN], [NAN, 1], [0, 0], [1, 1]],
        [ECONOMY, ECONOMY, PREMIUM, ECONOMY],
        [ECONOMY, STANDARD, STANDARD, PREMIUM],
    )
    told = under_routed(found, TIERS, 0.5, 7, 50)
    # the second row says nothing of economy; the highest tier is enough by definition
    assert (told.rows, told.candidate, told.champion) == (3, pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_what_a_cheaper_tier_could_have_done_is_over_routed():
    found = rows(
        [[1, 1], [0, 1], [NAN, 1], [NAN, 1]],
        [STANDARD, STANDARD, STANDARD, PREMIUM],
        [ECONOMY, PREMIUM, ECONOMY, ECONOMY],
    )
    told = over_routed(found, TIERS, 0.5, 7, 50)
    assert (told.rows, told.candidate, told.champion) == (
        3,
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )


def test_rows_count_by_their_weight():
    found = rows([[0, NAN], [1, 1]], [ECONOMY, ECONOMY], [PREMIUM, ECONOMY], weights=[3.0, 1.0])
    told = under_routed(found, TIERS, 0.5, 7, 50)
    assert (told.candidate, told.champion) == (0.75, 0.0)


def test_a_better_order_recovers_more_on_the_rows_that_answer():
    draw = np.random.default_rng(1)
    enough = draw.random(300) < 0.5
    targets = np.stack([np.where(enough, 1.0, 0.0), np.full(300, NAN)], axis=1)
    good = np.where(enough, 0.8, 0.2) + draw.normal(0, 0.05, 300)
    blind = draw.random(300)
    columns = [np.stack([one, np.ones(300), np.ones(300)], axis=1) for one in (good, blind)]
    told = area(rows(targets, *columns), 0, 7, 60)
    assert told.candidate > 0.7 and told.difference.low > 0.0
    assert log_loss(rows(targets, *columns), 0, 7, 60).difference.high < 0.0
    assert area(rows(targets, *columns), 1, 7, 60) is None


def test_one_class_defines_no_area():
    found = rows([[1, 1]] * 5, [ECONOMY] * 5, [STANDARD] * 5)
    assert area(found, 0, 7, 20) is None


def test_equal_artifacts_differ_by_nothing():
    draw = np.random.default_rng(3)
    said = np.sort(draw.random((80, 3)), axis=1)
    told = area(rows((draw.random((80, 2)) < 0.5), said, said), 0, 7, 40)
    assert (told.difference.low, told.difference.high) == (0.0, 0.0)
