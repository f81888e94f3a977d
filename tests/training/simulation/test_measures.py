"""Figures of measurements whose right answers can be told by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.simulation.measures import Measured, yardstick
from training.simulation.world import Prompt

TIERS = ("economy", "standard", "premium")
# ten new prompts that only premium answers, ten that any tier answers, and as many known ones
FRESH = [
    *(Prompt(f"a{n}", "sums", f"a{n}", True, ((0.0,), (0.0,), (1.0,))) for n in range(10)),
    *(Prompt(f"b{n}", "sums", f"b{n}", True, ((1.0,), (1.0,), (1.0,))) for n in range(10)),
    *(Prompt(f"c{n}", "rhymes", f"c{n}", False, ((1.0,), (1.0,), (1.0,))) for n in range(20)),
]
STICK = yardstick(FRESH, 0.02, TIERS)


def sent(tiers, difficulty):
    tiers = np.array(tiers)
    return Measured(tiers, np.array([0.001, 0.002, 0.01])[tiers], np.zeros(len(tiers)), np.array(difficulty))


RIGHT = sent([2] * 10 + [0] * 30, [0.9] * 10 + [0.1] * 30)
WRONG = sent([0] * 10 + [2] * 10 + [0] * 20, [0.1] * 10 + [0.9] * 10 + [0.1] * 20)


def test_cost_quality_and_their_sum_are_those_of_the_tiers_that_were_chosen():
    found = STICK.figures(RIGHT)["parts"]
    assert found["all"]["quality"]["value"] == 1.0
    assert found["all"]["usd_per_1000"]["value"] == pytest.approx((10 * 10 + 30 * 1) / 40)
    assert found["new tasks"]["shares"] == {"economy": 0.5, "standard": 0.0, "premium": 0.5}
    lost = STICK.figures(WRONG)["parts"]["new tasks"]
    assert lost["quality"]["value"] == 0.5
    assert lost["total_usd_per_1000"]["value"] == pytest.approx((1 + 10) / 2 + 1_000 * 0.02 * 0.5)


def test_the_area_is_highest_where_the_difficult_prompts_are_held_to_be_difficult():
    right, wrong = (STICK.figures(one)["areas"]["sums"]["value"] for one in (RIGHT, WRONG))
    assert (right, wrong) == (0.75, 0.25)
    assert STICK.figures(RIGHT)["areas"]["together"]["value"] == 0.75


def test_an_area_without_a_gap_is_not_defined_and_says_so():
    even = yardstick(FRESH[10:], 0.02, TIERS)
    assert even.figures(sent([0] * 30, [0.5] * 30))["areas"] == {"together": None, "sums": None}


def test_a_difference_is_paired_and_says_better_only_where_its_interval_excludes_none():
    gap = STICK.against(RIGHT, WRONG)
    assert gap["parts"]["all"]["quality"]["said"] == "better"
    assert gap["parts"]["all"]["total_usd_per_1000"]["said"] == "better"
    assert gap["areas"]["together"]["said"] == "better"
    same = STICK.against(RIGHT, RIGHT)
    assert same["parts"]["new tasks"]["quality"] == {
        "value": 0,
        "low": 0,
        "high": 0,
        "said": "not told apart",
    }
