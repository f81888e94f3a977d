"""A ranking holds nothing that may cost more than a budget leaves, and everything else that it held."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.routing.headroom import Headroom, nanodollars, worst_cost_nanousd
from serving.routing.router import decide
from serving.routing.tokens import TokenCount
from tests.serving.routing.strategies import names, worlds
from tests.serving.routing.test_router import LARGE, REQUEST, SMALL, decided

purses = st.lists(
    st.builds(
        Headroom,
        budget=st.sampled_from("abc"),
        usd=st.floats(0.01, 100),
        per=st.just("day"),
        renews_at=st.just(1.8e9),
        left_nanousd=st.none() | st.integers(0, 10**9),
        deployments=st.none() | st.frozensets(names, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@given(worlds(), purses, st.none() | st.integers(1, 4_000), st.integers(1, 3))
def test_the_ranking_with_budgets_is_the_one_without_less_what_does_not_fit(world, headroom, most, choices):
    request, *rest = world
    free = replace(request, max_output_tokens=most, choices=choices)
    held = replace(free, headroom=headroom)
    catalog = rest[1]

    def fits(row):
        cost = worst_cost_nanousd(free, catalog.deployments[row.deployment])
        mine = [purse for purse in headroom if purse.holds_for(row.deployment)]
        known = all(purse.left_nanousd is not None for purse in mine)
        return not mine or (known and cost is not None and all(cost <= p.left_nanousd for p in mine))

    left = {row.deployment for row in decide(held, *rest).ranking}
    assert left == {row.deployment for row in decide(free, *rest).ranking if fits(row)}


@given(worlds(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_less_left_of_a_budget_never_gives_a_deployment_that_may_cost_more(world, one, other):
    request, *rest = world

    def chosen(left):
        purse = Headroom("b", 1.0, "day", 1.8e9, left)
        return decide(replace(request, headroom=(purse,)), *rest).chosen

    tight, loose = chosen(min(one, other)), chosen(max(one, other))
    if tight is not None and tight != loose:
        assert loose is not None
        most = {name: worst_cost_nanousd(request, row) for name, row in rest[1].deployments.items()}
        assert most[tight.deployment] <= most[loose.deployment]


@given(worlds(), st.integers(0, 4_000), st.integers(0, 100_000), st.integers(0, 100_000))
def test_no_answer_costs_more_than_the_most_that_was_set_aside(world, output, cached, reasoning):
    request, _, catalog, *_ = world
    bounded = replace(request, max_output_tokens=4_000)
    for row in catalog:
        most = worst_cost_nanousd(bounded, row)
        counted = request.input_for(row.tokenizer).at_most
        real = row.cost_usd(counted, output, cached, 0, min(reasoning, output))
        assert (most is None) == (real is None)
        assert most is None or nanodollars(real) <= most


def test_the_upper_bound_of_the_prompt_and_the_dearest_price_are_what_counts():
    row = replace(SMALL, tokenizer="t", usd_per_million_cached_write=5.0, usd_per_million_reasoning=7.0)
    request = replace(REQUEST, tokens={"t": TokenCount(100, 150)}, max_output_tokens=10)
    assert worst_cost_nanousd(request, row) == 150 * 5_000 + 10 * 7_000
    unmeasured = replace(request, unmeasured_tokens=None)
    assert worst_cost_nanousd(unmeasured, row) == 100_000 * 5_000 + 10 * 7_000


@pytest.mark.parametrize(
    ("left", "code", "told"),
    [
        (None, "budget_unknown", "nobody can tell what is left of budget 'team' ($5 per day)"),
        (10_000, "budget", "has $0.000010 left until 2027-01-15 08:00 UTC"),
    ],
)
def test_the_reason_names_the_budget_what_is_left_and_until_when(left, code, told):
    purse = Headroom("team", 5.0, "day", 1.8e9, left)
    decision = decided(SMALL, LARGE, request=replace(REQUEST, headroom=(purse,)))
    assert decision.chosen is None
    assert {row.code for row in decision.rejected} == {code}
    assert told in decision.rejected[0].reason
