from __future__ import annotations

import numpy as np
import pytest

from training.baselines import routing
from training.curves import area_recovered
from training.groups import by_group, left_out

TIERS = ("economy", "premium")
# Two tasks of four prompts: the weak model answers the short ones of "a" and the long ones of "b".
GROUPS = ["a"] * 4 + ["b"] * 4
WORDS = np.array([1.0, 2.0, 3.0, 4.0] * 2)
WEAK = np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
FOLDS = np.array([0, 1, 0, 1] * 2)


def test_a_row_counts_in_each_of_its_traits():
    one = routing(np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]), TIERS, 0.5)
    found = by_group(np.array([0, 1, 1]), one, TIERS, [("x",), ("x", "y"), ()])
    assert found["x"]["rows"] == 2
    assert (found["x"]["under_routed"], found["y"]["under_routed"]) == (0.5, 1.0)
    assert found["y"]["recall"] == {"economy": None, "premium": 0.0}


def test_a_group_that_is_left_out_is_never_fitted_on():
    seen = []

    def fit(train):
        seen.append(sorted({GROUPS[place] for place in train}))
        return lambda asked: -WEAK[asked]

    found = left_out(fit, GROUPS, FOLDS)
    assert seen == [["a", "b"], ["a", "b"], ["b"], ["a"]]
    assert found["left_out"].tolist() == found["in_domain"].tolist() == (-WEAK).tolist()


def test_the_only_group_has_no_others_to_learn_from():
    found = left_out(lambda _: lambda asked: WORDS[asked], ["a"] * 8, FOLDS)
    assert np.isnan(found["left_out"]).all()
    assert found["in_domain"].tolist() == WORDS.tolist()


def test_what_was_learned_from_one_task_may_mislead_on_the_other():
    def fit(train):
        slope = np.polyfit(WORDS[train], 1 - WEAK[train], 1)[0]
        return lambda asked: slope * WORDS[asked]

    found = left_out(fit, GROUPS, FOLDS)["left_out"]
    for inside in (slice(0, 4), slice(4, 8)):
        assert area_recovered(found[inside], WEAK[inside], np.ones(4)) == pytest.approx(0.25)
