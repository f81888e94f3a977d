"""Exploration goes one tier up or down with the probability it tells, and never past a filter or a floor."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serving.routing.policy import Policy
from serving.routing.request import Turn
from serving.routing.router import decide
from serving.routing.snapshot import DeploymentState, Snapshot, Traffic
from serving.tables.share import TrafficShare
from tests.serving.routing.strategies import TIERS, worlds
from tests.serving.routing.test_router import REQUEST, Catalog, Prediction, row

DRAWS = 80
exploring = st.sampled_from([0.05, 0.2, 0.5])


def drawn(world, share, draw, control_draw=None):
    request, prediction, catalog, snapshot, policy = world
    control_draw = request.control_draw if control_draw is None else control_draw
    request = replace(request, exploration_draw=draw, control_draw=control_draw)
    return decide(request, prediction, catalog, snapshot, replace(policy, exploration_share=share))


@given(worlds(), exploring, st.floats(0, 1))
def test_exploring_passes_over_no_filter_and_no_floor(world, share, draw):
    plain, explored = drawn(world, share, 1.0), drawn(world, share, draw)
    assert explored.rejected == plain.rejected
    assert sorted(explored.ranking) == sorted(plain.ranking)
    assert all(one.quality >= explored.quality_floor for one in explored.ranking)


@given(worlds(), exploring, st.floats(0, 1))
def test_what_is_explored_is_one_tier_away_and_the_cap_leaves_room_for_it(world, share, draw):
    plain, explored = drawn(world, share, 1.0), drawn(world, share, draw)
    if explored.reason != "exploration":
        assert explored.chosen == plain.chosen
        return
    assert draw < share
    assert abs(TIERS.index(explored.chosen.tier) - TIERS.index(plain.chosen.tier)) == 1
    traffic = world[3].traffic
    assert explored.chosen.tier != TIERS[0] or (traffic.has_room and not explored.share.shifts)


@settings(deadline=None)
@given(worlds(), exploring)
def test_the_propensity_is_how_often_a_deployment_is_chosen_over_all_draws(world, share):
    assume(not world[0].limits.pin)
    often, told = defaultdict(float), {}
    for control in (False, True) if world[4].control_share else (False,):
        weight = world[4].control_share if control else 1.0 - world[4].control_share
        for place in range(DRAWS):
            control_draw = 0.0 if control else max(world[4].control_share, 0.99)
            decision = drawn(world, share, (place + 0.5) / DRAWS, control_draw)
            name = decision.chosen.deployment if decision.chosen else None
            often[name] += weight / DRAWS
            assert told.setdefault(name, decision.propensity) == decision.propensity
    assert sum(often.values()) == pytest.approx(1.0)
    for name, propensity in told.items():
        assert propensity == pytest.approx(often[name], abs=2 / DRAWS)


@given(worlds(), exploring, st.floats(0, 1))
def test_whoever_named_pinned_or_goes_on_with_a_conversation_is_not_experimented_with(world, share, draw):
    request, prediction, *rest = world
    named = replace(request, only=frozenset(["d0"]))
    going_on = replace(request, last_turn=Turn("d0"))
    stated = replace(prediction, source="rule")
    for changed in (
        (named, prediction, *rest), (going_on, prediction, *rest), (request, stated, *rest)
    ):  # fmt: skip
        assert drawn(changed, share, draw) == replace(
            drawn(changed, share, 1.0), request=replace(changed[0], exploration_draw=draw)
        )


MIDDLE = row("middle", "standard", 1.0, quality={"economy": 0.95, "standard": 0.95})
TOP = row("top", "premium", 100.0, quality=dict.fromkeys(TIERS, 0.99))
LOW = row("low", "economy", 0.1, quality={"economy": 0.9, "standard": 0.8})
NEEDS_MIDDLE = Prediction(TIERS, (0.1, 0.99, 1.0), "test")


def explored_from(draw, rows=(LOW, MIDDLE, TOP), traffic=None, **policy):
    dear = row("dear-middle", "standard", 50.0, quality=MIDDLE.quality)
    catalog = Catalog({one.name: one for one in (*rows, dear)})
    snapshot = Snapshot("1", {name: DeploymentState(100.0, 100.0) for name in catalog.deployments})
    if traffic is not None:
        snapshot = replace(snapshot, traffic=traffic)
    request = replace(REQUEST, exploration_draw=draw)
    policy = Policy(exploration_share=0.1, usd_per_lost_quality=0.2, **policy)
    return decide(request, NEEDS_MIDDLE, catalog, snapshot, policy)


def test_half_of_the_share_goes_down_and_half_goes_up():
    found = {draw: explored_from(draw) for draw in (0.01, 0.06, 0.11)}
    assert {draw: decision.chosen.deployment for draw, decision in found.items()} == {
        0.01: "low", 0.06: "top", 0.11: "middle"
    }  # fmt: skip
    assert [decision.propensity for decision in found.values()] == pytest.approx([0.05, 0.05, 0.9])
    assert [decision.reason for decision in found.values()] == [
        "exploration",
        "exploration",
        "least_total_cost",
    ]


def test_where_only_one_side_is_open_all_of_the_share_goes_there():
    above_the_low_one = explored_from(0.01, quality_floor=0.85)
    assert (above_the_low_one.chosen.deployment, above_the_low_one.propensity) == ("top", pytest.approx(0.1))


def test_a_full_lowest_tier_is_not_explored():
    full = Traffic(500, 0.6, has_room=False)
    assert explored_from(0.01, traffic=full).chosen.deployment == "top"


@pytest.mark.parametrize("cap", [0.1, 0.3])
def test_exploring_keeps_within_the_cap_of_the_lowest_tier(cap):
    traffic = TrafficShare(cap=cap, window=200, least=50)
    draws = random.Random(7)
    went = []
    for _ in range(3_000):
        decision = explored_from(draws.random() * 0.3, traffic=traffic.freeze(), share_cap=cap)
        share = decision.share
        went.append(decision.chosen.tier == TIERS[0])
        traffic.record(share.misroute_usd, wanted=share.wanted, went=went[-1])
    windows = [sum(went[start : start + 200]) for start in range(250, 2_800)]
    assert max(windows) <= 200 * cap
    assert max(windows) > 0


def test_what_fails_falls_back_to_what_would_have_been_chosen():
    assert [one.deployment for one in explored_from(0.06).ranking[:2]] == ["top", "middle"]


def test_nothing_is_explored_unless_it_is_asked_for():
    assert Policy().exploration_share == 0.0
    assert explored_from(1.0).reason == "least_total_cost"
