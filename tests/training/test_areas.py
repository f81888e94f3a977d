from __future__ import annotations

import numpy as np
import pytest

from training.areas import above, areas

DRAW = np.random.default_rng(3)
WEAK = (DRAW.random(400) < 0.5).astype(float)
STRONG = np.ones(400)
KNOWS = -WEAK
LENGTH = DRAW.random(400)


def test_a_ranking_stands_with_its_interval_beside_every_baseline():
    found = areas({"left_out": KNOWS, "length": LENGTH}, WEAK, STRONG, ["length"], rounds=100)
    assert found["left_out"] == pytest.approx(1 - (1 - WEAK).mean() / 2, abs=1e-4)
    bounds = found["intervals"]["left_out"]
    assert bounds["low"] < found["left_out"] < bounds["high"]
    assert found["against"]["length"]["left_out"]["said"] == "better"
    assert (found["random"], found["always_one"]) == (0.5, 0.5)


def test_chance_is_not_told_apart_from_length():
    found = areas({"left_out": DRAW.random(400), "length": LENGTH}, WEAK, STRONG, ["length"], rounds=200)
    assert found["against"]["length"]["left_out"]["said"] == "not told apart"


def test_what_is_unknown_or_has_no_gap_has_no_area():
    found = areas({"left_out": np.full(400, np.nan), "length": LENGTH}, WEAK, STRONG, ["length"], rounds=20)
    assert (found["left_out"], found["against"]["length"]) == (None, {})
    found = areas({"left_out": KNOWS, "length": LENGTH}, STRONG, STRONG, ["length"], rounds=20)
    assert (found["left_out"], found["length"], found["intervals"]) == (None, None, {})


def test_a_constant_ranking_is_chance_and_needs_no_interval():
    found = areas({"left_out": KNOWS, "task_table": np.zeros(400)}, WEAK, STRONG, ["task_table"], rounds=50)
    assert found["task_table"] == 0.5
    assert list(found["intervals"]) == ["left_out"]


def test_groups_are_counted_by_what_their_intervals_say():
    chance = LENGTH + 1e-9 * DRAW.random(400)
    found = {
        name: areas({"left_out": ranking, "length": LENGTH}, WEAK, STRONG, ["length"], rounds=100)
        for name, ranking in (("known", KNOWS), ("unknown", chance))
    }
    assert above(found, "left_out", "length").endswith("better on 1, worse on 0")
