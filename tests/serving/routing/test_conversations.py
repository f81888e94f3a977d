"""A conversation stays where it is unless it needs more, or the gain exceeds what leaving costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.records import Prediction
from serving.routing.explanation import as_dict, as_text
from serving.routing.policy import Policy
from serving.routing.request import Turn
from tests.serving.routing.test_router import EASY, HARD, LARGE, REQUEST, SMALL, TIERS, decided, row

TWIN = replace(SMALL, name="twin", usd_per_million_input=0.09, usd_per_million_output=0.09)
LONG = replace(REQUEST, input_tokens=50_000)


def after(name, warm_tokens=0, request=REQUEST):
    return replace(request, last_turn=Turn(name, warm_tokens))


def test_a_small_gain_does_not_move_a_conversation_and_the_decision_says_so():
    assert decided(SMALL, TWIN).chosen.deployment == "twin"
    decision = decided(SMALL, TWIN, request=after("small"))
    assert (decision.chosen.deployment, decision.reason) == ("small", "stays_with_conversation")
    assert as_dict(decision)["conversation"] == {"deployment": "small", "warm_tokens": 0}
    assert "+ $0.00050 switching" in as_text(decision)


def test_a_gain_beyond_the_price_of_a_switch_moves_it():
    policy = Policy(usd_per_switch=0.0000001)
    assert decided(SMALL, TWIN, request=after("small"), policy=policy).chosen.deployment == "twin"


def test_a_conversation_that_comes_to_need_more_moves_without_paying_for_the_switch():
    decision = decided(SMALL, LARGE, request=after("small"), prediction=HARD)
    assert decision.chosen.deployment == "large"
    assert decision.chosen.switch_cost_usd == 0.0


def test_a_conversation_that_needs_less_stays_where_the_switch_costs_more_than_it_saves():
    dear = row("dear", "premium", 1.0)
    sure = Prediction(TIERS, (0.999, 1.0, 1.0), "a")
    assert decided(SMALL, dear, prediction=sure).chosen.deployment == "small"
    assert decided(SMALL, dear, prediction=sure, request=after("dear")).chosen.deployment == "dear"


def test_a_warm_prompt_cache_is_money_and_so_is_losing_it():
    caching = replace(LARGE, name="caching", usd_per_million_cached_read=1.0)
    cheaper = replace(LARGE, name="cheaper", usd_per_million_input=9.0)
    assert decided(caching, cheaper, request=LONG).chosen.deployment == "cheaper"
    decision = decided(caching, cheaper, request=after("caching", 48_000, LONG))
    assert decision.chosen.deployment == "caching"
    assert decision.chosen.token_cost_usd == pytest.approx((2_100 * 10.0 + 48_000 * 1.0) / 1e6)


def test_no_more_than_the_prompt_is_read_from_a_cache():
    caching = replace(LARGE, usd_per_million_cached_read=1.0)
    decision = decided(caching, request=after("large", 1_000_000))
    assert decision.chosen.token_cost_usd == pytest.approx((100 * 1.0 + 100 * 10.0) / 1e6)


def test_a_conversation_never_lifts_a_limit():
    decision = decided(SMALL, LARGE, request=after("small", 100), down={"small"}, prediction=EASY)
    assert decision.chosen.deployment == "large"
