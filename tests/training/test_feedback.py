"""Graded answers become labels that say no more than was said, and no caller's word drowns the others'."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.decision_log import SCHEMA, Comparison, Opinion
from training.feedback import FeedbackConfig, graded, votes
from training.feedback import answers as answers_of
from training.influence import capped, effective_rows, inverse_propensity

TIERS = ("economy", "standard", "premium")
DEFAULTS = FeedbackConfig()


def opinion(**said):
    values = {"source": "human", "weight": 1.0, "holds": True, "score": None, "thumb": None, "label": None}
    return Opinion(**(values | {"comparison": None} | said))


def compared(other_tier, prefers, **said):
    return opinion(comparison=Comparison(other_tier, prefers), **said)


def answers(*opinions, tier="standard"):
    found, _ = votes(opinions, tier, TIERS, DEFAULTS)
    return [None if math.isnan(one) else one for one in found]


@pytest.mark.parametrize(
    ("said", "tier", "expected"),
    [
        ({"label": "fine"}, "economy", [1, 1]),
        ({"label": "fine"}, "standard", [None, 1]),
        ({"label": "fine"}, "premium", [None, None]),
        ({"label": "too_weak"}, "economy", [0, None]),
        ({"label": "too_weak"}, "standard", [0, 0]),
        ({"label": "too_weak"}, "premium", [0, 0]),
        ({"label": "overkill"}, "standard", [1, 1]),
        ({"label": "overkill"}, "premium", [None, 1]),
        ({"label": "overkill"}, "economy", [1, 1]),
        ({"thumb": "up"}, "standard", [None, 1]),
        ({"thumb": "down"}, "standard", [0, 0]),
        ({"score": 0.6}, "standard", [None, 1]),
        ({"score": 0.5}, "standard", [None, None]),
        ({"score": 0.4}, "standard", [0, 0]),
        # what is said in words counts before a number
        ({"score": 0.9, "label": "too_weak"}, "standard", [0, 0]),
    ],
)
def test_a_grade_answers_its_own_questions_and_no_other(said, tier, expected):
    assert answers(opinion(**said), tier=tier) == expected


@pytest.mark.parametrize(
    ("tier", "other", "prefers", "expected"),
    [
        ("economy", "premium", "this", [1, 1]),
        ("economy", "premium", "neither", [1, 1]),
        ("economy", "premium", "other", [0, None]),
        ("premium", "standard", "this", [0, 0]),
        ("premium", "standard", "other", [None, 1]),
        ("standard", "standard", "this", [None, None]),
        ("standard", None, "this", [None, None]),
    ],
)
def test_of_two_answers_the_cheaper_one_is_on_trial(tier, other, prefers, expected):
    assert answers(compared(other, prefers), tier=tier) == expected


def test_contradiction_lies_between_by_what_each_counts_for():
    both = (opinion(label="fine"), opinion(label="too_weak", source="judge", weight=0.25))
    assert answers(*both) == [0, 0.8]


def test_a_comparison_counts_for_less_than_a_grade():
    _, grade = votes([opinion(thumb="up")], "economy", TIERS, DEFAULTS)
    _, comparison = votes([compared("premium", "this")], "economy", TIERS, DEFAULTS)
    assert (grade, comparison) == (1.0, 0.5)


opinions = st.builds(
    opinion,
    score=st.none() | st.floats(0, 1),
    thumb=st.sampled_from([None, "up", "down"]),
    label=st.sampled_from([None, "too_weak", "fine", "overkill"]),
    weight=st.floats(0.01, 10),
)


@settings(deadline=None)
@given(st.lists(opinions, max_size=3), st.sampled_from(TIERS))
def test_no_opinion_says_less_of_a_dearer_tier_than_of_a_cheaper_one(said, tier):
    found = [one for one in answers(*said, tier=tier) if one is not None]
    assert found == sorted(found)


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=50), st.floats(1.0, 100.0))
def test_inverse_propensities_weigh_one_on_average_and_are_cut(propensities, most):
    given_ = np.array(propensities)
    found, clipped = inverse_propensity(given_, most)
    assert found.mean() == pytest.approx(1.0)
    assert clipped == sum(1.0 / one > most for one in given_)
    assert found.max() <= most * found.min() * (1 + 1e-9)
    assert 1.0 - 1e-9 <= effective_rows(found) <= len(found) + 0.1


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0.01, 100.0)), min_size=1, max_size=60),
    st.sampled_from([0.2, 0.25, 0.5, 1.0]),
    st.floats(0.0, 1_000.0),
)
def test_no_key_comes_to_more_than_its_share_and_none_gains(rows, share, base):
    keys, weights = [key for key, _ in rows], np.array([weight for _, weight in rows])
    names = sorted(set(keys))
    places = np.array([names.index(key) for key in keys])
    found, told = capped(weights, places, names, share, base)
    assert np.all(found <= weights * (1 + 1e-9))
    total = found.sum() + base
    sums = {key: found[[one == key for one in keys]].sum() for key in set(keys)}
    allowed = max(share, 1.0 / len(sums))
    assert max(sums.values()) <= allowed * total * (1 + 1e-6)
    untouched = [one for one in told if not one["capped"]]
    assert share < 1.0 or len(untouched) == len(told)
    assert {one["key"]: one["kept"] for one in told} == pytest.approx(sums, abs=1e-3)


def line(number, tier, good, **changes):
    row = {
        "schema": SCHEMA, "decision_id": f"dec_{number}", "endpoint": "/route", "tier": tier,
        "propensity": 1.0, "prediction_source": "classifier", "caller": None, "conversation": None,
        "prompt": json.dumps([{"role": "user", "content": f"prompt {number}"}]), "tools": 0,
        "response_format": None, "vectors": None, "outcome": None,
        "feedback": [
            {
                "source": "human", "weight": 1.0, "holds": True, "score": None, "label": None,
                "thumb": "up" if good else "down", "comparison": None,
            }
        ],
    }  # fmt: skip
    return row | changes


def export(folder: Path, rows) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_one_key_with_five_thousand_thumbs_down_weighs_no_more_than_its_share_and_is_told(tmp_path):
    honest = [line(n, "economy", True, caller=f"team-{n % 8}") for n in range(400)]
    poison = [line(1_000 + n, "economy", False, caller="mallory") for n in range(5_000)]
    found = graded([export(tmp_path, honest + poison)], TIERS, DEFAULTS)
    labels, keys = found.weighed(np.ones(5_400, dtype=bool), DEFAULTS)
    bad = labels.targets[:, 0] == 0
    assert (int(bad.sum()), len(bad)) == (5_000, 5_400)
    assert labels.weights[bad].sum() == pytest.approx(0.2 * labels.weights.sum())
    assert labels.weights[~bad] == pytest.approx(1.0)
    told = keys[0]
    assert (told["key"], told["rows"], told["capped"], told["share"]) == ("mallory", 5_000, True, 0.2)
    assert not any(one["capped"] for one in keys[1:])
    assert answers_of(labels, TIERS)["economy"]["not_enough"] == pytest.approx(100.0)


def test_one_key_with_thousands_of_likely_choices_hardly_moves_what_the_others_weigh(tmp_path):
    honest = [line(n, "economy", True, caller=f"team-{n % 8}", propensity=1 / 3) for n in range(400)]
    batch = [line(1_000 + n, "economy", False, caller="mallory") for n in range(5_000)]
    labels, _ = graded([export(tmp_path, honest + batch)], TIERS, DEFAULTS).weighed(
        np.ones(5_400, dtype=bool), DEFAULTS
    )
    weights, bad = labels.weights, labels.targets[:, 0] == 0
    # 400 rows of 3 and mallory's of 1, which count for a fifth of all, weigh 1 on average
    assert weights[~bad] == pytest.approx(3.0 / 2.6)
    assert weights[bad].sum() == pytest.approx(0.2 * weights.sum())


def test_the_base_corpus_counts_against_every_key(tmp_path):
    rows = [line(n, "economy", False, caller="mallory") for n in range(5_000)]
    found = graded([export(tmp_path, rows)], TIERS, DEFAULTS)
    labels, _ = found.weighed(np.ones(5_000, dtype=bool), DEFAULTS, 1_600.0)
    assert labels.weights.sum() == pytest.approx(400.0)


def test_a_key_is_held_to_its_share_of_what_is_used_however_much_more_it_has_sent(tmp_path):
    rows = [line(n, "economy", n % 2 > 0) for n in range(5_000)]
    found = graded([export(tmp_path, rows)], TIERS, DEFAULTS)
    labels, (told,) = found.weighed(np.arange(5_000) < 500, DEFAULTS, 1_600.0)
    assert labels.weights.sum() == pytest.approx(400.0)
    assert (told["key"], told["rows"], told["share"]) == (None, 500, 0.2)


def test_what_belongs_together_shares_a_group(tmp_path):
    same = json.dumps([{"role": "user", "content": "the  SAME prompt"}])
    rows = [
        line(1, "economy", True, conversation="a"),
        line(2, "economy", True, conversation="a", prompt=same),
        line(3, "economy", True, conversation="b", prompt=same.lower()),
        line(4, "economy", True, conversation="b"),
        line(5, "economy", True, conversation="c"),
        line(6, "economy", True),
        line(7, "economy", True, prompt=same),
    ]
    groups = graded([export(tmp_path, rows)], TIERS, DEFAULTS).groups.tolist()
    assert len({groups[place] for place in (0, 1, 2, 3, 6)}) == 1
    assert len(set(groups)) == 3
    assert sorted(set(groups)) == [0, 1, 2]


def test_without_a_graded_row_there_are_no_labels_and_the_report_says_why(tmp_path):
    rows = [line(1, "economy", True, feedback=[]), line(2, "gold", True)]
    found = graded([export(tmp_path, rows)], TIERS, DEFAULTS)
    assert found.labels.targets.shape == (0, 2)
    assert found.report["left_out"] == {"not graded": 1, "answered by a tier that is not on the scale": 1}
    assert (found.report["groups"], found.report["inverse_propensity"]["effective_rows"]) == (0, 0.0)


def test_inverse_propensity_undoes_how_traffic_was_sent(tmp_path):
    """Economy answers 60 % of what it is asked; the router sends it what it can do, and explores the rest."""
    random = np.random.default_rng(7)
    rows = []
    for number in range(6_000):
        easy = random.random() < 0.5
        enough = random.random() < (0.9 if easy else 0.3)
        to_economy = 0.95 if easy else 0.05
        if random.random() < to_economy:
            rows.append(line(number, "economy", enough, propensity=to_economy))
    alone = FeedbackConfig(most_weight=50.0, key_share=1.0)
    found = graded([export(tmp_path, rows)], TIERS, alone)
    labels, _ = found.weighed(np.ones(len(found.places), dtype=bool), alone)
    target, weight = labels.targets[:, 0], labels.weights
    assert np.average(target, weights=weight) == pytest.approx(0.6, abs=0.05)
    assert target.mean() > 0.8
    assert found.report["inverse_propensity"]["effective_rows"] < len(rows) / 2
