"""Neither a cap on the share nor any setting of cost takes a decision below its floors."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from serving.routing.explanation import as_dict, as_text
from serving.routing.policy import Policy
from serving.routing.router import decide
from serving.routing.snapshot import DeploymentState, Snapshot, Traffic
from tests.serving.routing.strategies import TIERS, policies, shares, traffics, worlds
from tests.serving.routing.test_router import EASY, LARGE, REQUEST, SMALL, Catalog

CROWDED = Traffic(500, 0.6, threshold_usd=0.0, has_room=False)


def crowded(*rows, **limits):
    catalog = Catalog({row.name: row for row in rows})
    snapshot = Snapshot("1", {row.name: DeploymentState(100.0, 100.0) for row in rows}, CROWDED)
    request = replace(REQUEST, limits=replace(REQUEST.limits, **limits))
    return decide(request, EASY, catalog, snapshot, Policy())


def test_a_shifted_prompt_leaves_the_lowest_tier_to_others_and_the_decision_says_so():
    decision = crowded(SMALL, LARGE)
    assert (decision.chosen.deployment, decision.reason) == ("large", "share_cap")
    assert [row.deployment for row in decision.ranking] == ["large", "small"]
    assert as_dict(decision)["share"]["shifts"] is True
    assert "economy comes last: at most 60%" in as_text(decision)


def test_the_cap_refuses_nobody_where_there_is_no_other_choice():
    decision = crowded(SMALL)
    assert (decision.chosen.deployment, decision.reason) == ("small", "only_candidate")
    assert decision.share.wanted is None


@given(worlds(), policies, shares, st.none() | shares, st.floats(1e-6, 1), traffics)
def test_no_setting_of_cost_no_cap_and_no_fallback_goes_below_the_floors(
    world, policy, floor, dial, cost_usd, traffic
):
    """The whole ranking is what a failing first choice falls back to: each of it holds both floors."""
    request, prediction, catalog, snapshot, _ = world
    limits = replace(
        request.limits,
        cost_versus_quality=dial,
        max_cost_usd=cost_usd,
        quality_floor=floor,
        minimum_tier="standard",
    )
    asked = replace(request, limits=limits)
    for row in decide(asked, prediction, catalog, replace(snapshot, traffic=traffic), policy).ranking:
        assert row.quality >= max(floor, policy.quality_floor)
        assert TIERS.index(row.tier) >= TIERS.index("standard")


@given(worlds(), traffics)
def test_a_shift_changes_the_order_and_never_who_may_answer(world, traffic):
    request, prediction, catalog, snapshot, policy = world
    plain = decide(request, prediction, catalog, snapshot, policy)
    shifted = decide(request, prediction, catalog, replace(snapshot, traffic=traffic), policy)
    assert {row.deployment for row in plain.ranking} == {row.deployment for row in shifted.ranking}
    assert plain.rejected == shifted.rejected
