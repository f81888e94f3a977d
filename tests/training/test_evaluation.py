from __future__ import annotations

import numpy as np
import pytest

from classifier.reading import read
from training.baselines import reliability, routing
from training.dataset import Row
from training.evaluation import evaluate, tier_figures

TIERS = ("economy", "standard", "premium")


def row(place, tier, text="hi", traits=()):
    prompt = {"prompt": text}
    return Row(f"r{place}", f"g{place}", prompt, read(prompt), tier, "smalltalk", "chat", "en", traits)


def test_under_and_over_routing_count_the_direction():
    rows = [row(place, tier) for place, tier in enumerate(("economy", "standard", "premium", "premium"))]
    says = {"economy": [1.0, 1.0, 1.0], "standard": [0.0, 1.0, 1.0]}
    held_out = np.array([says["standard"], says["standard"], says["standard"], says["economy"]])
    figures = tier_figures(rows, held_out, TIERS, 0.5)
    assert (figures["accuracy"], figures["under_routed"], figures["over_routed"]) == (0.25, 0.5, 0.25)
    assert figures["top_to_bottom"] == 0.5
    assert evaluate(rows, held_out, np.array([0, 1, 0, 1]), TIERS, 0.5, rounds=9)["two_tiers_under"] == 0.25
    assert figures["recall"] == {"economy": 0.0, "standard": 1.0, "premium": 0.0}


def test_the_threshold_decides_what_a_sufficiency_stands_for():
    held_out = np.array([[0.6, 0.95, 1.0]])
    assert routing(held_out, TIERS, 0.5).places.tolist() == [0]
    assert routing(held_out, TIERS, 0.9).places.tolist() == [1]


def test_a_promise_that_is_never_kept_is_the_largest_calibration_error():
    rows = [row(place, "premium") for place in range(10)]
    figures = tier_figures(rows, np.ones((10, 3)), TIERS, 0.5)
    assert figures["heads"]["economy"]["ece"] == 1.0
    kept = reliability(np.full(10, 0.3), np.arange(10) < 3)
    assert kept == [{"rows": 10, "promised": 0.3, "happened": 0.3}]


def test_perfect_predictions_score_perfectly_and_length_is_beside_them():
    rows = [row(place, TIERS[place % 3], "x" * (1 + 100 * (place % 3))) for place in range(30)]
    held_out = np.array(
        [[[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]][place % 3] for place in range(30)]
    )
    report = evaluate(rows, held_out, np.arange(30) // 3 % 3, TIERS, 0.5, rounds=20)
    assert report["accuracy"] == 1.0
    head = report["heads"]["economy"]
    assert (head["brier"], head["ece"], head["auc"]) == (0.0, 0.0, 1.0)
    assert report["table"]["prompt length"]["accuracy"] == 1.0
    assert report["table"]["always premium"]["accuracy"] == pytest.approx(1 / 3, abs=0.01)


def test_figures_are_also_given_by_trait():
    rows = [
        row(0, "economy", traits=("go_on",)),
        row(1, "standard"),
        row(2, "premium", traits=("go_on", "multi_turn")),
    ]
    report = evaluate(rows, np.ones((3, 3)), np.array([0, 1, 2]), TIERS, 0.5, rounds=9)
    part = report["by"]["trait"]["go_on"]
    assert (part["rows"], part["accuracy"], part["under_routed"], part["over_routed"]) == (2, 0.5, 0.5, 0.0)
    english = report["by"]["language"]["en"]
    assert english["rows"] == 3
    assert english["accuracy_interval"]["low"] <= english["accuracy"] <= english["accuracy_interval"]["high"]
    assert english["beside"].keys() == report["against"].keys()
