"""`POST /route` answers with a decision that a person can check and a program can use."""

from __future__ import annotations

import json

import pytest

from tests.running import in_process, logged
from tests.serving.api.bodies import HELLO, chat_body, route_body

KEYS = {
    "decision_id", "deployment", "tier", "reason", "required_tier", "sufficiency", "prediction_source",
    "ranking", "rejected", "input_tokens", "tokens", "sensitive", "expected_output_tokens", "quality_floor",
    "propensity", "rules", "share", "conversation", "kind",
    "filters", "needs", "reserved_output_tokens", "control_draw", "exploration_draw", "day",
    "artifact", "policy", "snapshot", "decide_ms",
}  # fmt: skip


def test_a_decision_has_the_documented_shape(client):
    answer = client.post("/route", json=route_body())
    assert answer.status_code == 200
    assert set(answer.json()) == KEYS


def test_the_best_of_the_ranking_is_chosen_and_every_sum_adds_up(client):
    decision = client.post("/route", json=route_body()).json()
    assert decision["ranking"][0]["deployment"] == decision["deployment"]
    totals = [row["total_usd"] for row in decision["ranking"]]
    assert totals == sorted(totals)
    for row in decision["ranking"]:
        parts = row["token_cost_usd"] + row["waiting_cost_usd"] + row["lost_quality_cost_usd"]
        assert row["total_usd"] == pytest.approx(parts)


def test_sufficiency_never_falls_from_tier_to_tier_and_ends_at_one(client):
    shares = list(client.post("/route", json=route_body()).json()["sufficiency"].values())
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_what_is_not_cleared_is_rejected_with_its_reason(client):
    decision = client.post("/route", json=route_body(compliance=["hipaa"])).json()
    assert decision["deployment"] == "demo-premium"
    reasons = {row["deployment"]: (row["code"], row["reason"]) for row in decision["rejected"]}
    assert reasons["demo-economy"] == ("compliance", "not cleared for hipaa")


def test_tools_need_a_deployment_that_has_them(client):
    tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    decision = client.post("/route", json=route_body(tools=tools)).json()
    codes = {row["deployment"]: row["code"] for row in decision["rejected"]}
    assert codes["demo-economy"] == "capability"


def test_an_image_needs_a_deployment_that_sees(client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]}]
    assert client.post("/route", json={"messages": messages}).json()["deployment"] == "demo-premium"


def test_a_prompt_and_the_same_prompt_as_a_message_are_weighed_alike(client):
    text = HELLO[0]["content"]
    one = client.post("/route", json={"prompt": text}).json()
    other = client.post("/route", json={"messages": HELLO}).json()
    assert one["sufficiency"] == other["sufficiency"]
    assert one["input_tokens"] == other["input_tokens"]


def test_route_and_chat_decide_alike(client):
    routed = client.post("/route", json={"messages": HELLO}).json()
    headers = client.post("/v1/chat/completions", json=chat_body()).headers
    assert headers["x-weighbridge-deployment"] == routed["deployment"]
    assert headers["x-weighbridge-required-tier"] == routed["required_tier"]


def test_a_named_deployment_is_the_only_candidate(client):
    decision = client.post("/route", json=route_body(model="demo-premium")).json()
    assert [row["deployment"] for row in decision["ranking"]] == ["demo-premium"]
    assert decision["reason"] == "requested_by_name"


def test_limits_that_nobody_meets_are_a_422_that_names_every_reason(client):
    answer = client.post("/route", json=route_body(max_cost_usd=1e-9))
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "no_eligible_deployment"
    assert {row["code"] for row in error["detail"]} == {"cost"}
    assert len(error["detail"]) == 3


def test_a_decision_stands_in_the_log_with_its_sum(client):
    decision = client.post("/route", json=route_body()).json()
    row = logged(client)[decision["decision_id"]]
    assert row["explanation"]["ranking"] == decision["ranking"]
    assert (row["endpoint"], row["requested_model"]) == ("/route", "auto")
    assert row["sufficiency"] == decision["sufficiency"]
    assert row["outcome"] is None


def test_a_refusal_stands_in_the_log_as_well(client):
    answer = client.post("/route", json=route_body(max_cost_usd=1e-9))
    row = logged(client)[answer.headers["x-weighbridge-decision-id"]]
    assert (row["deployment"], row["reason"]) == (None, "no_eligible_deployment")


@pytest.mark.parametrize(("prompts", "kept"), [("none", False), ("text", True)])
def test_prompts_are_kept_only_if_the_settings_say_so(tmp_path, prompts, kept):
    secret = "Zwiebelkuchen für Frau Oberhuber"
    with in_process(tmp_path, log={"prompts": prompts}) as running:
        decision = running.post("/route", json={"prompt": secret}).json()
        row = logged(running)[decision["decision_id"]]
    assert (row["prompt"] is not None and secret in row["prompt"]) is kept
    on_disk = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.db*"))
    assert (secret.encode() in on_disk) is kept
    assert secret not in json.dumps(row["explanation"], ensure_ascii=False)


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        ({"max_cost_usd": 1e-9}, "max_cost_usd"),
        ({"max_latency_ms": 1}, "max_latency_ms"),
        ({"compliance": ["fedramp"]}, "compliance"),
        ({"capabilities": ["audio"]}, "capabilities"),
        ({"max_output_tokens": 100_000}, None),
    ],
)
def test_a_refusal_names_the_field_that_alone_stands_in_the_way(client, limits, field):
    answer = client.post("/route", json=route_body() | limits)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == field
