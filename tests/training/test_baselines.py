from __future__ import annotations

import json

import numpy as np
import pytest

from training.baselines import baselines, compare, figures, routing

TIERS = ("economy", "standard", "premium")
NEEDED = np.tile([0, 1, 2], 40)
FOLDS = np.arange(120) // 3 % 4
PERFECT = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])[NEEDED]


def made(words=None, tasks=None):
    words = np.ones(120) if words is None else words
    return baselines(NEEDED, words, tasks or ["any"] * 120, FOLDS, TIERS, 0.5)


def test_perfect_sufficiencies_have_perfect_figures():
    found = figures(NEEDED, routing(PERFECT, TIERS, 0.5), TIERS)
    assert found["recall"] == {"economy": 1.0, "standard": 1.0, "premium": 1.0}
    head = found["heads"]["economy"]
    # two thirds of the rows are not enough: 1 - (2/3) / 2
    assert (head["brier"], head["ece"], head["area"]) == (0.0, 0.0, pytest.approx(2 / 3, abs=1e-4))
    assert head["cpt50"] == pytest.approx(1 / 3, abs=1e-4)


def test_random_and_always_recover_half_and_need_half_the_calls_for_it():
    for name, one in made().items():
        if name.startswith(("random", "always")):
            head = figures(NEEDED, one, TIERS)["heads"]["standard"]
            assert (head["area"], head["cpt50"], head["cpt80"]) == (0.5, 0.5, 0.8)


def test_always_one_tier_errs_in_one_direction_only():
    cheap, dear = (figures(NEEDED, made()[f"always {tier}"], TIERS) for tier in ("economy", "premium"))
    assert (cheap["over_routed"], dear["under_routed"]) == (0.0, 0.0)
    assert cheap["top_to_bottom"] == 1.0


def test_length_is_a_perfect_router_where_length_says_all():
    found = figures(NEEDED, made(words=10.0 ** (1 + NEEDED))["prompt length"], TIERS)
    assert found["heads"]["economy"]["area"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["accuracy"] > 0.6


def test_the_task_table_never_sees_the_rows_it_weighs():
    """Each row a task of its own: the other folds know nothing of it, so it gets their mean and no more."""
    alone = made(tasks=[f"t{place}" for place in range(120)])["task table"]
    assert np.allclose(alone.sufficiency[:, 0], 1 / 3)
    shared = made(tasks=[TIERS[place] for place in NEEDED])["task table"]
    assert figures(NEEDED, shared, TIERS)["accuracy"] == 1.0


def test_better_is_said_of_a_perfect_classifier_and_not_of_a_baseline_beside_itself():
    others = made()
    found = compare(NEEDED, routing(PERFECT, TIERS, 0.5), others, TIERS, rounds=100)
    assert found["against"]["prompt length"]["area economy"]["said"] == "better"
    assert found["against"]["always premium"]["over_routed"]["said"] == "better"
    assert found["against"]["always economy"]["recall premium"]["said"] == "better"
    assert found["against"]["always premium"]["recall premium"]["said"] == "not told apart"
    itself = compare(NEEDED, others["random"], {"random": others["random"]}, TIERS, rounds=100)
    assert {one["said"] for one in itself["against"]["random"].values()} == {"not told apart"}
    assert json.loads(json.dumps(found)) == found


def test_a_tier_that_no_row_needs_has_no_figure():
    easy = np.zeros(12, dtype=np.int64)
    found = compare(easy, routing(np.ones((12, 3)), TIERS, 0.5), {}, TIERS, rounds=20)
    assert found["table"]["classifier"]["heads"]["economy"]["area"] is None
    assert found["table"]["classifier"]["recall"]["premium"] is None
    assert "area economy" not in found["intervals"]
    assert "recall premium" not in found["intervals"]
