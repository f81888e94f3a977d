"""`POST /observations` lets the live tables learn from what callers dispatched themselves."""

from __future__ import annotations

import pytest

from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body, route_body


def decided(client, **headers):
    return client.post("/route", json=route_body(), headers=headers).json()


def observe(client, decision, headers=None, **fields):
    body = {"decision_id": decision["decision_id"], "latency_ms": 900.0} | fields
    return client.post("/observations", json=body, headers=headers or {})


def refused(answer, status, param):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["param"] == param and error["message"].startswith(f"{param}:")
    return error["message"]


def state(client, name):
    return client.app.state.context.gateway.weigher.tables.snapshot().states[name]


def test_an_observation_is_logged_as_the_outcome_of_its_decision(client):
    decision = decided(client)
    given = {"first_token_ms": 200.0, "input_tokens": 1_000, "output_tokens": 100}
    answer = observe(client, decision, **given)
    assert (answer.status_code, answer.json()["status"]) == (202, "stored")
    outcome = logged(client)[decision["decision_id"]]["outcome"]
    assert (outcome["deployment"], outcome["status"]) == (decision["deployment"], "ok")
    assert outcome["latency_ms"] == 900.0 and outcome["streamed"] is True
    price = next(row for row in decision["ranking"] if row["deployment"] == decision["deployment"])
    assert outcome["cost_usd"] > 0 and price["token_cost_usd"] > 0
    assert outcome["attempts"][0]["charged_usd"] == outcome["cost_usd"]


def test_observed_failures_and_times_move_the_tables(tmp_path):
    with in_process(tmp_path) as client:
        for _ in range(8):
            observe(client, decided(client), deployment="demo-premium", first_token_ms=800.0)
        assert state(client, "demo-premium").first_token_ms == pytest.approx(800.0, rel=0.2)
        for _ in range(5):
            observe(client, decided(client), deployment="demo-standard", status="error", error="overloaded")
        assert "failing" in state(client, "demo-standard").unavailable


def test_a_second_observation_and_one_of_a_dispatched_decision_are_conflicts(client):
    decision = decided(client)
    assert observe(client, decision).status_code == 202
    assert "already" in refused(observe(client, decision), 409, "decision_id")
    logged(client)
    assert "already" in refused(observe(client, decision), 409, "decision_id")
    chat = client.post("/v1/chat/completions", json=chat_body())
    sent = {"decision_id": chat.headers["x-weighbridge-decision-id"]}
    assert "dispatched here" in refused(observe(client, sent), 409, "decision_id")


def test_an_unknown_decision_is_a_404(client):
    answer = observe(client, {"decision_id": "dec_nobody"})
    assert answer.status_code == 404 and answer.json()["error"]["param"] == "decision_id"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"deployment": "nobody"}, "deployment"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": "fast"}, "latency_ms"),
        ({"first_token_ms": 901.0}, "first_token_ms"),
        ({"status": "fine"}, "status"),
        ({"error": "upstream"}, "error"),
        ({"status": "error", "error": "boom"}, "error"),
        ({"http_status": 99}, "http_status"),
        ({"cost_usd": -0.1}, "cost_usd"),
        ({"cached_input_tokens": 5}, "cached_input_tokens"),
        ({"output_tokens": 1.5}, "output_tokens"),
        ({"lateness_ms": 3}, "lateness_ms"),
    ],
)
def test_an_observation_that_makes_no_sense_is_refused_by_its_field(client, fields, param):
    decision = decided(client)
    refused(observe(client, decision, **fields), 400, param)
    assert observe(client, decision).status_code == 202


@pytest.fixture
def held(tmp_path):
    """A service with two callers and a budget of one of them."""
    environ = {"ANN_KEY": "ann-key", "BOB_KEY": "bob-key"}
    callers = [{"name": name, "api_key_env": f"{name.upper()}_KEY"} for name in ("ann", "bob")]
    budgets = [{"name": "ann's", "usd": 1.0, "per": "day", "caller": "ann"}]
    with in_process(tmp_path, environ, callers=callers, budgets=budgets) as client:
        yield client


ANN, BOB = {"authorization": "Bearer ann-key"}, {"authorization": "Bearer bob-key"}


def test_an_observation_needs_a_key_and_a_decision_of_its_own_caller(held):
    decision = decided(held, **ANN)
    assert observe(held, decision).status_code == 401
    assert observe(held, decision, BOB).status_code == 404
    assert observe(held, decision, ANN, cost_usd=0.0).status_code == 202


def test_what_was_spent_elsewhere_counts_in_the_budget_and_must_be_told(held):
    decision = decided(held, **ANN)
    assert "ann's" in refused(observe(held, decision, ANN), 400, "cost_usd")
    assert observe(held, decision, ANN, cost_usd=0.9999).status_code == 202
    answer = held.post("/route", json=route_body(max_output_tokens=1_000), headers=ANN)
    assert answer.status_code == 429 and answer.json()["error"]["code"] == "budget_spent"
    assert held.post("/route", json=route_body(), headers=BOB).status_code == 200
    assert "weighbridge_budget_left_usd" in held.get("/metrics").text
