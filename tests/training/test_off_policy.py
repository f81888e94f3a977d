"""Held-out feedback judges two artifacts on what was graded, by its weight, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.labeling import observed
from training.off_policy import HeldOut, area, log_loss, mean_tier, over_routed, under_routed

TIERS = ("economy", "standard", "premium")
NAN = np.nan


def rows(targets, candidate, champion, weights=None, asked=None, times=1):
    """Return these rows so many times, each a group of its own."""
    count = len(targets) * times
    return HeldOut(
        np.array(targets * times, dtype=float),
        np.ones(count) if weights is None else np.array(weights * times, dtype=float),
        list(range(count)),
        np.array(candidate * times, dtype=float),
        np.array(champion * times, dtype=float),
        None if asked is None else np.array(asked * times),
    )


ECONOMY, STANDARD, PREMIUM = [0.9, 0.95, 1.0], [0.1, 0.9, 1.0], [0.1, 0.2, 1.0]
CHOICES = np.array([ECONOMY, STANDARD, PREMIUM])


def test_where_every_tier_is_labelled_every_choice_counts():
    found = rows(
        [[0, 1], [1, 1], [0, 0], [0, 1]],
        [ECONOMY, STANDARD, PREMIUM, ECONOMY],
        [ECONOMY, STANDARD, STANDARD, PREMIUM],
        times=10,
    )
    missed = under_routed(found, TIERS, 0.5, 7, 50)
    # the highest tier is enough by definition
    assert (missed.rows, missed.candidate, missed.champion) == (40, 0.5, 0.5)
    spent = over_routed(found, TIERS, 0.5, 7, 50)
    assert (spent.rows, spent.candidate, spent.champion) == (40, 0.25, 0.5)


def test_a_tier_is_judged_by_what_it_answered_itself():
    found = rows(
        # a bad answer of standard says of economy what no good one would have denied
        [[0, 0], [1, 1], [0, NAN], [NAN, 1]],
        [ECONOMY] * 4,
        [STANDARD] * 4,
        asked=[1, 0, 0, 1],
        times=10,
    )
    told = under_routed(found, TIERS, 0.5, 7, 50)
    assert (told.rows, told.candidate, told.champion) == (40, 0.5, 0.5)
    assert area(found, 0, 7, 50) is None


def test_what_neither_artifact_would_have_done_in_any_graded_row_says_nothing():
    found = rows([[0, NAN], [1, 1]], [STANDARD] * 2, [STANDARD] * 2, asked=[0, 0], times=20)
    assert under_routed(found, TIERS, 0.5, 7, 50) is None


def test_rows_count_by_their_weight():
    found = rows([[0, 0], [1, 1]], [ECONOMY] * 2, [PREMIUM, ECONOMY], weights=[3.0, 1.0], times=20)
    told = under_routed(found, TIERS, 0.5, 7, 50)
    assert (told.candidate, told.champion) == (0.75, 0.0)
    sent = mean_tier(found, TIERS, 0.5, 7, 50)
    assert (sent.candidate, sent.champion) == (0.0, 1.5)


def test_a_few_conversations_make_nothing_sure():
    few = rows([[0, 0]] * 9, [PREMIUM] * 9, [ECONOMY] * 9)
    one = replace(rows([[0, 0]] * 90, [PREMIUM] * 90, [ECONOMY] * 90), groups=[1] * 90)
    assert under_routed(few, TIERS, 0.5, 7, 50) is None
    assert under_routed(one, TIERS, 0.5, 7, 50) is None
    assert under_routed(rows([[0, 0]] * 90, [PREMIUM] * 90, [ECONOMY] * 90), TIERS, 0.5, 7, 50) is not None


def test_one_answer_a_prompt_tells_what_full_labels_would_have():
    """The log's router sends most where a prompt's look says, and explores; grades are of that tier alone."""
    draw, count = np.random.default_rng(11), 6_000
    looks = draw.integers(0, 3, count)
    needed = np.clip(looks + draw.choice([-1, 0, 1], count, p=[0.2, 0.6, 0.2]), 0, 2)
    asked = np.where(draw.random(count) < 0.7, looks, draw.integers(0, 3, count))
    propensity = np.where(asked == looks, 0.8, 0.1)
    full = (needed[:, None] <= np.arange(2)).astype(float)
    answers = [(TIERS[tier], bool(tier >= least)) for tier, least in zip(asked, needed, strict=True)]
    partial = observed(answers, TIERS).targets
    cheaper, dearer = CHOICES[np.maximum(looks - 1, 0)], CHOICES[np.minimum(looks + 1, 2)]
    ones, groups = np.ones(count), list(range(count))
    logged = HeldOut(partial, 1.0 / propensity, groups, cheaper, dearer, asked)
    truth = HeldOut(full, ones, groups, cheaper, dearer)
    for measure in (under_routed, over_routed):
        told, real = (measure(side, TIERS, 0.5, 7, 60) for side in (logged, truth))
        assert told.candidate == pytest.approx(real.candidate, abs=0.03)
        assert told.champion == pytest.approx(real.champion, abs=0.03)
        assert abs(real.difference.value) > 0.2


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
    found = rows([[1, 1]] * 50, [ECONOMY] * 50, [STANDARD] * 50)
    assert area(found, 0, 7, 20) is None


def test_equal_artifacts_differ_by_nothing():
    draw = np.random.default_rng(3)
    said = np.sort(draw.random((80, 3)), axis=1)
    told = area(rows((draw.random((80, 2)) < 0.5), said, said), 0, 7, 40)
    assert (told.difference.low, told.difference.high) == (0.0, 0.0)
