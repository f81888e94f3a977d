"""What a price of lost quality buys, and the price that meets a target, on traffic whose answer is known."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from serving.records import Prediction
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.router import Inputs
from serving.tables.live import LiveTables
from serving.tradeoff import Target, Trade
from tests.serving.test_course import CATALOG, TIERS

OPEN = Policy(quality_floor=0.0, share_cap=1.0)


def trade(count=400, policy=OPEN):
    draw = random.Random(3)
    snapshot = LiveTables(CATALOG).snapshot()
    given = [
        Inputs(
            RoutingRequest(f"dec_{place}", 100, 100, 100),
            Prediction(TIERS, (draw.random(), 1.0), "v1"),
            CATALOG,
            snapshot,
            policy,
        )
        for place in range(count)
    ]
    return Trade(given, policy, share_window=100, share_least=20)


def found(traded, target):
    curve = list(traded.curve())
    return traded.search(target, curve, traded.at)[0]


def test_dearer_lost_quality_never_buys_less_quality_for_more_or_more_of_the_lowest_tier():
    points = list(trade().curve())
    for low, high in pairwise(points):
        assert high.quality >= low.quality
        assert high.usd_per_1k >= low.usd_per_1k
        assert high.shares["economy"] <= low.shares["economy"]
    assert points[0].shares == {"economy": 1.0, "premium": 0.0}
    assert points[-1].shares == {"economy": 0.0, "premium": 1.0}


def test_the_policys_own_price_is_on_the_curve_with_what_it_comes_to():
    traded = trade()
    (now,) = (point for point in traded.curve() if point.usd_per_lost_quality == OPEN.usd_per_lost_quality)
    assert now == traded.at(OPEN.usd_per_lost_quality)


@pytest.mark.parametrize("share", [0.1, 0.37, 0.6, 0.9])
def test_a_share_is_met_as_nearly_as_prompts_allow(share):
    assert found(trade(), Target(economy_share=share)).shares["economy"] == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_budget_is_kept_and_nearly_used_up(part):
    traded = trade()
    least, most = traded.at(0.0).usd_per_1k, traded.at(10.0).usd_per_1k
    budget = least + part * (most - least)
    point = found(traded, Target(budget_usd_per_1k=budget))
    assert point.usd_per_1k <= budget
    assert point.usd_per_1k > budget - 0.01 * (most - least)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_quality_is_reached_for_hardly_more_than_it_takes(part):
    traded = trade()
    least, most = traded.at(0.0).quality, traded.at(10.0).quality
    quality = least + part * (most - least)
    point = found(traded, Target(quality=quality))
    assert quality <= point.quality < quality + 0.01 * (most - least)


def test_a_target_out_of_reach_is_missed_by_as_little_as_can_be():
    traded = trade()
    assert found(traded, Target(quality=0.999)).quality == traded.at(10.0).quality
    assert found(traded, Target(budget_usd_per_1k=0.0)).usd_per_1k == traded.at(0.0).usd_per_1k
    floored = trade(policy=Policy(quality_floor=0.7, share_cap=1.0))
    point = found(floored, Target(economy_share=1.0))
    assert point.shares["economy"] == floored.at(0.0).shares["economy"] < 0.9
    assert Target(economy_share=1.0).misses_by(point, "economy") > 0.1


def test_a_budget_that_is_never_exceeded_buys_the_best():
    traded = trade()
    assert found(traded, Target(budget_usd_per_1k=1e6)).quality == traded.at(10.0).quality


def test_the_cap_on_the_lowest_tier_holds_unless_it_is_lifted():
    capped = trade(policy=Policy(quality_floor=0.0, share_cap=0.3))
    assert capped.at(0.0).shares["economy"] == pytest.approx(0.3, abs=0.02)
    assert capped.at(0.0, share_cap=1.0).shares["economy"] == 1.0
