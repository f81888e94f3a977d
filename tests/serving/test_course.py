"""Decisions made again have their own consequences, not those of the decisions that were logged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.course import Course
from serving.records import Prediction
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest, Turn
from serving.routing.router import Inputs
from serving.tables.live import LiveTables

TIERS = ("economy", "premium")


def deployment(name, tier, usd, quality):
    return Deployment(
        name, name, "demo", tier, quality, usd_per_million_input=usd, usd_per_million_output=usd,
        context_window_tokens=10_000, first_token_ms=100.0, output_tokens_per_second=100.0,
    )  # fmt: skip


SMALL = deployment("small", "economy", 0.1, {"economy": 0.9, "premium": 0.2})
LARGE = deployment("large", "premium", 50.0, {"economy": 0.95, "premium": 0.95})
CATALOG = Catalog({row.name: row for row in (SMALL, LARGE)})


def inputs(number, policy, enough=0.9, turn=None):
    request = RoutingRequest(f"dec_{number}", 100, 100, 100, last_turn=turn)
    prediction = Prediction(TIERS, (enough, 1.0), "v1")
    return Inputs(request, prediction, CATALOG, LiveTables(CATALOG).snapshot(), policy)


@pytest.fixture
def course():
    return Course(share_window=100, share_least=20)


def test_a_conversation_that_went_elsewhere_goes_on_from_there(course):
    loyal = Policy(quality_floor=0.0, usd_per_lost_quality=0.0001, usd_per_switch=1.0, share_cap=1.0)
    turn = Turn("small", 50, "dec_1")
    careful = replace(loyal, usd_per_lost_quality=1.0)
    assert course.decide(inputs(1, careful, enough=0.1), was="small").chosen.deployment == "large"
    second = course.decide(inputs(2, loyal, turn=turn), was="small")
    assert second.request.last_turn == Turn("large", 50, "dec_1")
    assert second.chosen.deployment == "large"
    assert (
        course.decide(inputs(3, loyal, turn=replace(turn, decision_id="dec_9"))).chosen.deployment == "small"
    )


def test_a_conversation_that_stayed_is_as_it_was_logged(course):
    policy = Policy(quality_floor=0.0, share_cap=1.0)
    assert course.decide(inputs(1, policy), was="small").chosen.deployment == "small"
    turn = Turn("small", 50, "dec_1")
    assert course.decide(inputs(2, policy, turn=turn)).request.last_turn == turn


@pytest.mark.parametrize("cap", [0.0, 0.3, 0.6, 1.0])
def test_the_share_of_the_lowest_tier_is_that_of_the_policy_not_of_the_log(course, cap):
    policy = Policy(quality_floor=0.0, share_cap=cap)
    course.warm_up(inputs(number, policy, enough=0.9) for number in range(100))
    went = [course.decide(inputs(number, policy, enough=0.9)).chosen.tier for number in range(400)]
    assert went.count("economy") / 400 == pytest.approx(cap, abs=0.02)
