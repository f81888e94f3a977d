"""Before each further hop the decision's limits are looked at again, with the numbers of that moment."""

from __future__ import annotations

import time

import pytest

from serving.hops import Hops
from serving.records import Attempt, Outcome, Prediction, Usage
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Limits, RoutingRequest
from serving.routing.router import decide
from serving.tables.first_bytes import FirstBytes
from serving.tables.live import LiveTables
from serving.tables.watched import Habits

CATALOG = Catalog(
    {
        name: Deployment(
            name, name, "scripted", "economy", {"economy": 0.9}, usd_per_million_input=1.0,
            usd_per_million_output=1.0, context_window_tokens=9_000, first_token_ms=100.0,
            output_tokens_per_second=1_000.0,
        )
        for name in ("a", "b")
    }
)  # fmt: skip
FAILED = Outcome(
    "d", 0.0, "error", "b", False, Usage(), None, None, 1.0, (Attempt("b", "error", 1.0, "upstream"),)
)


@pytest.fixture
def tables():
    return LiveTables(CATALOG, Habits(failure_threshold=1))


def hops(tables, first_bytes=None, **limits):
    request = RoutingRequest("d", 100, 100, 100, Limits(**limits))
    prediction = Prediction(("economy",), (1.0,), "x")
    return Hops(
        decide(request, prediction, CATALOG, tables.snapshot(), Policy()), CATALOG, tables, first_bytes
    )


def test_a_deployment_that_went_down_meanwhile_is_not_asked(tables):
    asked = hops(tables)
    assert asked.against("b", 5.0) is None
    tables.record(FAILED)
    assert asked.against("b", 5.0) == "unavailable"


def test_the_time_that_is_gone_counts_against_the_callers_limit(tables):
    asked = hops(tables, max_latency_ms=300.0)
    assert (asked.against("b", 50.0), asked.against("b", 150.0)) == (None, "latency")


def test_one_whose_answers_were_found_wanting_meanwhile_is_not_asked(tables):
    asked = hops(tables, quality_floor=0.85)
    assert asked.against("b", 5.0) is None
    for _ in range(50):
        tables.rated("b", 0.0, [("economy", 1.0)], time.time())
    assert asked.against("b", 5.0) == "quality_floor"
    assert asked.against("a", 5.0) is None


def known(times):
    first_bytes = FirstBytes()
    for ms in times:
        first_bytes.record("a", ms)
    return first_bytes


def test_a_hedge_waits_for_the_95th_percentile_of_what_was_seen(tables):
    assert hops(tables, known(range(1, 101))).hedge_after_ms("a", "b") == 95


@pytest.mark.parametrize("times", [[], [1.0] * 19])
def test_too_few_first_bytes_say_nothing(tables, times):
    assert hops(tables, known(times)).hedge_after_ms("a", "b") is None


def test_without_the_setting_nothing_is_hedged(tables):
    assert hops(tables).hedge_after_ms("a", "b") is None


def test_a_hedge_must_fit_the_callers_budget(tables):
    times = [1.0] * 50
    assert hops(tables, known(times), max_cost_usd=0.0005).hedge_after_ms("a", "b") == 1.0
    assert hops(tables, known(times), max_cost_usd=0.0003).hedge_after_ms("a", "b") is None
