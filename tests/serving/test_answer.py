"""One outcome per request: who answered, and all that has to be paid for."""

from __future__ import annotations

import pytest

from serving.answer import Journey
from serving.records import Attempt, Prediction, Usage
from serving.rollout import Weighed
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.router import Inputs, decide
from serving.tables.live import LiveTables
from serving.weigher import Decided

CATALOG = Catalog(
    {
        name: Deployment(
            name, name, "scripted", "economy", {"economy": 0.9}, usd_per_million_input=usd,
            usd_per_million_output=usd, context_window_tokens=9_000,
        )
        for name, usd in (("a", 1.0), ("b", 10.0))
    }
)  # fmt: skip


def outcome(*attempts, **finish):
    request = RoutingRequest("d", 100, 100, 100)
    prediction = Prediction(("economy",), (1.0,), "x")
    inputs = Inputs(request, prediction, CATALOG, LiveTables(CATALOG).snapshot(), Policy())
    decision = decide(*inputs)
    outcomes = []
    decided = Decided(decision, 0.1, inputs, Weighed(inputs.prediction))
    journey = Journey(decided, CATALOG, outcomes.append, streamed=True, started=0.0)
    journey.finish("ok", attempts, Usage(100, 10), **finish)
    journey.finish("error", attempts)
    (one,) = outcomes
    return one


def test_what_a_hedge_has_read_is_charged_beside_the_answer():
    attempts = (Attempt("b", "cancelled", 1.0), Attempt("a", "ok", 1.0))
    assert outcome(*attempts, hedged=("b",)).cost_usd == pytest.approx(110e-6 + 1000e-6)
    assert outcome(*attempts).cost_usd == pytest.approx(110e-6)


def test_one_that_was_skipped_did_not_answer():
    assert outcome(Attempt("a", "error", 1.0), Attempt("b", "skipped", 0.0)).deployment == "a"
