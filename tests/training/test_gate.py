"""A candidate that is surely worse in any named way fails, and by the name of that way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.artifacts import CHAMPION, write_models
from training.gate import Evidence, judge_beside
from training.non_inferiority import TOO_FEW
from training.off_policy import HeldOut

TIERS = ("economy", "standard", "premium")
COUNT = 400


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("gate") / "models", "next")


def said(needed, sharpness, draw):
    """Return sufficiencies [N, 3] that know the required tiers so well."""
    raw = np.stack([needed <= tier for tier in range(3)], axis=1).astype(float)
    found = 0.5 + sharpness * (raw - 0.5) + draw.normal(0, 0.1, raw.shape)
    found[:, -1] = 1.0
    return np.sort(np.clip(found, 0.01, 1.0), axis=1)


def side(ours, theirs, seed=1, count=COUNT):
    draw = np.random.default_rng(seed)
    needed = draw.integers(0, 3, count)
    targets = (needed[:, None] <= np.arange(2)).astype(float)
    return HeldOut(
        targets,
        np.ones(count),
        list(range(count)),
        said(needed, ours, draw),
        said(needed, theirs, np.random.default_rng(seed + 1)),
    )


def report(**changes):
    found = {
        "two_tiers_under": 0.01,
        "heads": {tier: {"ece": 0.02} for tier in TIERS[:-1]},
        "robustness": {"typos": {"value": 0.9}},
        "attacks": {"total": {"value": 0.15}},
    }
    return found | changes


def failed(models, **changes):
    return set(judged(models, **changes).failed)


def judged(models, **changes):
    evidence = {
        "corpus": side(0.5, 0.5),
        "feedback": side(0.5, 0.5, seed=5),
        "prompts": side(0.5, 0.5),
        "reports": (report(), report()),
        "milliseconds": (0.2, 0.2),
        "bytes": (100, 100),
    }
    verdict = judge_beside(
        models / "next", models / CHAMPION, Evidence(**(evidence | changes)), TIERS, 0.5, rounds=60
    )
    assert (verdict.version, verdict.champion) == ("next", CHAMPION)
    assert verdict.passed is (not verdict.failed)
    return verdict


def test_an_equal_candidate_passes(models):
    assert failed(models) == set()


def test_a_better_one_passes(models):
    assert failed(models, corpus=side(0.7, 0.3), feedback=side(0.7, 0.3)) == set()


def test_without_feedback_to_judge_by_the_corpus_judges(models):
    assert failed(models, feedback=None) == set()


@pytest.mark.parametrize("where", ["corpus", "feedback"])
def test_one_that_ranks_worse_fails_where_it_does(models, where):
    names = failed(models, **{where: side(0.0, 0.6)})
    assert f"area recovered, is economy enough, {where}" in names
    assert f"under-routing, {where}" in names
    assert all(name.endswith(where) for name in names)


def test_what_too_few_rows_leave_open_fails_where_it_must_be_shown_and_is_named_where_it_need_not(models):
    few = side(0.3, 0.3, count=40)
    assert failed(models, corpus=few) >= {"over-routing, corpus"}
    verdict = judged(models, feedback=few)
    open_ = {check.name for check in verdict.checks if check.rule.startswith(TOO_FEW)}
    assert verdict.passed and open_ and all(name.endswith("feedback") for name in open_)


def test_a_sure_loss_within_the_margin_has_to_be_paid_for_by_a_gain_on_feedback(models):
    much = side(0.5, 0.5, count=4_000)
    better = replace(much, champion=np.clip(much.candidate + 0.02 * (much.targets[:, :1] - 0.5), 0.0, 1.0))
    lost = failed(models, corpus=better)
    assert lost and all(name.endswith("corpus") for name in lost)
    assert failed(models, corpus=better, feedback=side(0.7, 0.3)) == set()
    # beyond the margin nothing pays for it
    far = failed(models, corpus=side(0.3, 0.6, count=4_000), feedback=side(0.7, 0.3))
    assert far and all(name.endswith("corpus") for name in far)


def test_one_that_spends_for_nothing_fails_by_what_feedback_shows(models):
    dear = side(0.5, 0.5)
    dear = replace(dear, candidate=dear.candidate * [0.5, 0.9, 1.0])
    assert failed(models, feedback=dear) == {"over-routing, feedback"}


def test_one_that_sends_the_logs_prompts_to_dearer_tiers_has_to_show_that_it_pays(models):
    same = side(0.5, 0.5)
    dearer = replace(same, candidate=same.champion * [0.1, 0.2, 1.0])
    name = "dearer tiers, logged prompts"
    assert failed(models, prompts=dearer, feedback=None) == {name}
    assert failed(models, prompts=dearer, feedback=side(0.5, 0.5, count=20)) == {name}
    assert failed(models, prompts=dearer, feedback=side(0.9, 0.3)) == set()


def test_one_that_sends_everything_to_the_dearest_tier_fails(models):
    dear = side(0.5, 0.5)
    always = np.tile([0.01, 0.02, 1.0], (COUNT, 1)) + dear.candidate * [0.01, 0.01, 0.0]
    names = failed(models, corpus=replace(dear, candidate=always))
    assert "over-routing, corpus" in names and "under-routing, corpus" not in names


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"milliseconds": (0.31, 0.2)}, "latency"),
        ({"bytes": (126, 100)}, "size"),
        ({"reports": (report(two_tiers_under=0.06), report())}, "two tiers too low"),
        (
            {"reports": (report(heads={"economy": {"ece": 0.09}, "standard": {"ece": 0.0}}), report())},
            "calibration error, is economy enough",
        ),
        (
            {"reports": (report(robustness={"typos": {"value": 0.8}}), report())},
            "robustness, prompts that keep their tier",
        ),
        (
            {"reports": (report(attacks={"total": {"value": 0.25}}), report())},
            "robustness, attacks that succeed",
        ),
    ],
)
def test_each_bound_fails_by_its_own_name(models, changes, name):
    assert failed(models, **changes) == {name}
