"""The decision keeps its promises on every catalog, request and snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.records import Prediction
from serving.routing.catalog import Catalog, Deployment
from serving.routing.filters import filters_for, filters_that_can, first_reason, token_cost_usd
from serving.routing.policy import Policy
from serving.routing.request import Limits, RoutingRequest, tightest
from serving.routing.router import decide
from serving.routing.snapshot import DeploymentState, Snapshot
from serving.routing.tokens import TokenCount
from tests.serving.routing.strategies import TAGS, TIERS, shares, worlds


@given(worlds())
def test_every_deployment_is_ranked_or_rejected_with_a_reason(world):
    decision = decide(*world)
    ranked = [row.deployment for row in decision.ranking]
    rejected = [row.deployment for row in decision.rejected]
    assert sorted(ranked + rejected) == sorted(world[2].deployments)
    assert all(row.reason for row in decision.rejected)


@given(worlds())
def test_the_same_input_gives_the_same_decision(world):
    assert decide(*world) == decide(*world)


@given(worlds())
def test_the_order_of_the_catalog_changes_nothing(world):
    request, prediction, catalog, snapshot, policy = world
    reversed_rows = Catalog(dict(reversed(catalog.deployments.items())))
    assert (
        decide(request, prediction, reversed_rows, snapshot, policy).ranking
        == decide(request, prediction, catalog, snapshot, policy).ranking
    )


@given(worlds())
def test_nothing_that_is_chosen_breaks_a_limit(world):
    request, _, catalog, snapshot, policy = world
    asked = request.limits
    for row in decide(*world).ranking:
        deployment = catalog.deployments[row.deployment]
        assert asked.compliance <= deployment.compliance
        assert asked.capabilities <= deployment.capabilities
        assert request.uses.isdisjoint(deployment.lacks)
        assert row.quality >= max(asked.quality_floor or 0.0, policy.quality_floor)
        assert row.token_cost_usd is not None
        assert asked.max_cost_usd is None or row.token_cost_usd <= asked.max_cost_usd
        assert asked.max_latency_ms is None or row.latency_ms <= asked.max_latency_ms
        first_token_ms = snapshot.states[row.deployment].first_token_ms
        assert asked.max_first_token_ms is None or first_token_ms <= asked.max_first_token_ms
        assert asked.minimum_tier is None or TIERS.index(row.tier) >= TIERS.index(asked.minimum_tier)
        assert asked.maximum_tier is None or TIERS.index(row.tier) <= TIERS.index(asked.maximum_tier)
        assert asked.allow is None or row.deployment in asked.allow
        assert row.deployment not in asked.deny
        assert not asked.pin or row.deployment in asked.pin
        assert snapshot.states[row.deployment].unavailable is None
        window = deployment.context_window_tokens
        assert window is not None and request.input_tokens + request.reserved_output_tokens <= window


@given(worlds())
def test_the_ranking_is_by_a_sum_that_adds_up(world):
    decision = decide(*world)
    ranking = decision.ranking
    totals = [row.total_usd for row in ranking]
    controls = world[0].control_draw < world[4].control_share
    assert world[0].limits.pin or decision.share.shifts or controls or totals == sorted(totals)
    for row in ranking:
        parts = (row.token_cost_usd or 0.0) + row.waiting_cost_usd + row.lost_quality_cost_usd
        parts += row.switch_cost_usd
        assert row.total_usd == pytest.approx(parts)


@given(worlds(), st.booleans(), st.booleans())
def test_a_deployment_that_only_embeds_never_answers_a_chat(world, by_name, without_limits):
    request, prediction, catalog, snapshot, policy = world
    first, *others = catalog
    embedder = replace(first, capabilities=first.capabilities | {"embeddings"})
    rows = Catalog({row.name: row for row in (embedder, *others)})
    asked = replace(request.limits, capabilities=request.limits.capabilities - {"embeddings"})
    chat = replace(
        request,
        only=frozenset({first.name}) if by_name else frozenset(),
        limits=Limits() if without_limits else asked,
    )
    ranking = decide(chat, prediction, rows, snapshot, policy).ranking
    assert first.name not in {row.deployment for row in ranking}


@given(worlds(), st.booleans())
def test_the_filters_left_out_for_a_request_would_have_rejected_nothing(world, without_limits):
    request, _, catalog, snapshot, _ = world
    asked = replace(request, limits=Limits()) if without_limits else request
    for row in catalog:
        state = snapshot.states[row.name]
        assert first_reason(asked, row, state, filters_for(asked)) == first_reason(asked, row, state)


@given(worlds(), st.booleans(), st.sets(st.sampled_from(["d0", "d1"])))
def test_what_a_deployment_without_conditions_is_not_asked_would_not_have_rejected_it(world, bare, only):
    request, _, catalog, snapshot, _ = world
    asked = replace(request, only=frozenset(only), limits=Limits() if bare else request.limits)
    few = filters_that_can(filters_for(asked), asked, catalog)
    for row in catalog:
        if not row.is_conditional:
            state = snapshot.states[row.name]
            assert first_reason(asked, row, state, few) == first_reason(asked, row, state)


@given(worlds())
def test_an_expected_cost_is_that_of_the_same_call_to_the_last_digit(world):
    request, _, catalog, _, _ = world
    for row in catalog:
        tokens = request.input_for(row.tokenizer).expected
        whole = row.cost_usd(tokens, request.expected_output_tokens, request.cached_input_tokens(row.name))
        assert token_cost_usd(request, row) == whole


def chosen_with(world, **limits):
    request, *rest = world
    tight = replace(request, limits=replace(request.limits, **limits))
    return decide(tight, *rest).chosen


@given(worlds(), st.floats(1e-6, 1), st.floats(1e-6, 1))
def test_a_tighter_cost_never_gives_a_dearer_deployment(world, one, other):
    tight = chosen_with(world, max_cost_usd=min(one, other))
    loose = chosen_with(world, max_cost_usd=max(one, other))
    if tight is not None and tight != loose:
        assert loose is not None and tight.token_cost_usd <= loose.token_cost_usd


@given(worlds(), st.floats(1, 1e5), st.floats(1, 1e5))
def test_a_tighter_latency_never_gives_a_slower_deployment(world, one, other):
    tight = chosen_with(world, max_latency_ms=min(one, other))
    loose = chosen_with(world, max_latency_ms=max(one, other))
    if tight is not None and tight != loose:
        assert loose is not None and tight.latency_ms <= loose.latency_ms


@given(worlds(), st.floats(1, 5_000), st.floats(1, 5_000))
def test_a_tighter_first_token_never_gives_one_that_starts_later(world, one, other):
    states = world[3].states
    tight = chosen_with(world, max_first_token_ms=min(one, other))
    loose = chosen_with(world, max_first_token_ms=max(one, other))
    if tight is not None and tight != loose:
        assert loose is not None
        assert states[tight.deployment].first_token_ms <= states[loose.deployment].first_token_ms


@given(worlds(), st.sampled_from(TIERS), st.sampled_from(TIERS))
def test_a_higher_minimum_tier_never_gives_a_lower_one(world, one, other):
    low, high = sorted((one, other), key=TIERS.index)
    lower, higher = chosen_with(world, minimum_tier=low), chosen_with(world, minimum_tier=high)
    if higher is not None:
        assert lower is not None
        assert higher == lower or TIERS.index(higher.tier) >= TIERS.index(lower.tier)


@given(worlds(), shares, shares)
def test_the_dial_towards_quality_never_gives_a_worse_answer(world, one, other):
    low = chosen_with(world, cost_versus_quality=min(one, other), pin=())
    high = chosen_with(world, cost_versus_quality=max(one, other), pin=())
    if low is not None:
        assert high.quality >= low.quality - 1e-9


@given(worlds(), worlds())
def test_limits_taken_together_leave_what_each_of_them_leaves(world, another):
    request, *rest = world
    other = another[0].limits
    both = replace(request, limits=tightest([request.limits, other], TIERS))
    alone = replace(request, limits=replace(request.limits, cost_versus_quality=None))
    second = replace(request, limits=other)
    left = {row.deployment for row in decide(both, *rest).ranking}
    assert left == {r.deployment for r in decide(alone, *rest).ranking} & {
        r.deployment for r in decide(second, *rest).ranking
    }


@given(worlds(), shares, shares)
def test_a_higher_floor_never_gives_a_worse_deployment(world, one, other):
    low = chosen_with(world, quality_floor=min(one, other))
    high = chosen_with(world, quality_floor=max(one, other))
    if high is not None:
        assert (low is not None and high.quality >= low.quality) or high == low


@given(worlds(), st.sampled_from(TAGS))
def test_a_removed_compliance_tag_never_leaves_less_choice(world, tag):
    request, *rest = world
    strict = replace(request, limits=replace(request.limits, compliance=request.limits.compliance | {tag}))
    free = replace(request, limits=replace(request.limits, compliance=request.limits.compliance - {tag}))
    allowed = {row.deployment for row in decide(strict, *rest).ranking}
    assert allowed <= {row.deployment for row in decide(free, *rest).ranking}


def row(name, tier, price, **fields):
    quality = (
        {"economy": 0.95, "standard": 0.9, "premium": 0.5}
        if tier == "economy"
        else dict.fromkeys(TIERS, 0.95)
    )
    return Deployment(
        name, name, "demo", tier, fields.pop("quality", quality),
        usd_per_million_input=price, usd_per_million_output=price,
        context_window_tokens=fields.pop("window", 100_000), **fields,
    )  # fmt: skip


SMALL, LARGE = row("small", "economy", 0.1), row("large", "premium", 10.0)
REQUEST = RoutingRequest("dec_1", 100, 100, 100)
EASY, HARD = Prediction(TIERS, (0.99, 1.0, 1.0), "a"), Prediction(TIERS, (0.01, 0.02, 1.0), "a")


def decided(*rows, request=REQUEST, prediction=EASY, down=(), policy=Policy()):  # noqa: B008 - frozen
    states = {r.name: DeploymentState(100.0, 100.0, "failing" if r.name in down else None) for r in rows}
    return decide(request, prediction, Catalog({r.name: r for r in rows}), Snapshot("1", states), policy)


def test_an_easy_prompt_goes_to_the_cheap_deployment_and_a_hard_one_to_the_strong():
    assert decided(SMALL, LARGE).chosen.deployment == "small"
    assert decided(SMALL, LARGE, prediction=HARD).chosen.deployment == "large"


def test_an_unknown_price_or_window_is_never_taken_for_free_or_unlimited():
    unpriced = replace(SMALL, name="unpriced", usd_per_million_output=None)
    unsized = replace(SMALL, name="unsized", context_window_tokens=None)
    reasons = {r.deployment: r.code for r in decided(unpriced, unsized, LARGE).rejected}
    assert reasons == {"unpriced": "price", "unsized": "context_window"}


def test_a_caller_who_names_a_deployment_gets_it_below_the_policys_floor():
    named = replace(REQUEST, only=frozenset({"small"}))
    decision = decided(SMALL, LARGE, request=named, prediction=HARD)
    assert decision.chosen.deployment == "small"
    assert decision.reason == "requested_by_name"


def test_naming_a_deployment_does_not_lift_compliance():
    named = replace(REQUEST, only=frozenset({"small"}), limits=Limits(compliance=frozenset({"gdpr"})))
    decision = decided(SMALL, LARGE, request=named)
    assert decision.chosen is None
    assert {r.deployment: r.code for r in decision.rejected}["small"] == "compliance"


def test_a_deployment_for_callers_by_name_is_not_chosen_for_auto():
    aside = replace(SMALL, by_name_only="a real provider is configured")
    decision = decided(aside, LARGE)
    assert decision.chosen.deployment == "large"
    assert decision.rejected[0].reason == "a real provider is configured"


def test_the_window_must_hold_the_reserved_answer_too():
    tiny = row("tiny", "economy", 0.1, window=199)
    assert decided(tiny).rejected[0].code == "context_window"
    assert decided(replace(tiny, context_window_tokens=200)).chosen is not None


def test_an_output_limit_below_the_reserved_answer_rejects():
    assert decided(replace(SMALL, max_output_tokens=99)).rejected[0].code == "output_limit"


def test_what_is_failing_is_left_alone():
    decision = decided(SMALL, LARGE, down={"small"})
    assert decision.chosen.deployment == "large"
    assert decision.rejected[0].code == "unavailable"


def test_without_a_classifier_the_reason_says_so():
    fallback = Prediction(TIERS, (0.0, 0.0, 1.0), "none", source="fallback")
    decision = decided(SMALL, LARGE, prediction=fallback)
    assert (decision.chosen.deployment, decision.reason) == ("large", "classifier_unavailable")


DAY = date(2027, 4, 1)


@pytest.mark.parametrize(("day", "chosen"), [(DAY - timedelta(1), "small"), (DAY, "large"), (None, "large")])
def test_a_deployment_is_used_until_the_day_it_ends(day, chosen):
    ending = replace(SMALL, sunset=DAY, superseded_by="large")
    decision = decided(ending, LARGE, request=replace(REQUEST, day=day))
    assert decision.chosen.deployment == chosen
    named = decided(ending, LARGE, request=replace(REQUEST, day=day, only=frozenset({"small"})))
    assert (named.chosen is None) == (chosen == "large")


@pytest.mark.parametrize(
    ("tag", "allowed"),
    [
        ("retention_days<=30", True),
        ("retention_days<=029", False),
        ("retention_days<=" + "9" * 5_000, True),
        ("retention_days<=", False),
        ("retention_days<=-1", False),
        ("retention_days<=³", False),
        ("retention<=30", False),
    ],
)
def test_how_long_prompts_are_kept_is_compared_as_a_number(tag, allowed):
    strict = replace(REQUEST, limits=Limits(compliance=frozenset({tag})))
    assert (decided(replace(SMALL, retention_days=30), request=strict).chosen is not None) == allowed
    assert decided(SMALL, request=strict).rejected[0].code == "compliance"


def test_windows_and_prices_are_held_against_the_tokens_of_the_deployments_own_tokenizer():
    tokens = {"few": TokenCount(50, 60), "many": TokenCount(150, 200)}
    request = replace(REQUEST, tokens=tokens)
    few = row("few", "economy", 1.0, window=160, tokenizer="few")
    many = row("many", "economy", 1.0, window=299, tokenizer="many")
    decision = decided(few, many, request=request)
    assert decision.chosen.deployment == "few"
    assert decision.chosen.token_cost_usd == pytest.approx(150e-6)
    assert "up to 300 tokens" in decision.rejected[0].reason
