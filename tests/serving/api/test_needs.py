"""A request says what it needs: in its body, in headers, by its key; the strictest word holds."""

from __future__ import annotations

import pytest

from tests.running import in_process
from tests.serving.api.bodies import chat_body, route_body

CALLERS = [
    {"name": "batch", "api_key_env": "BATCH_KEY", "maximum_tier": "standard", "compliance": ["gdpr"]},
    {"name": "legal", "api_key_env": "LEGAL_KEY", "deny": ["demo-standard"], "quality_floor": 0.94},
]
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    environ = {"BATCH_KEY": "kb", "LEGAL_KEY": "kl"}
    with in_process(tmp_path_factory.mktemp("keyed"), environ, callers=CALLERS) as running:
        yield running


def codes(decision):
    return {row["deployment"]: row["code"] for row in decision["rejected"]}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("max_first_token_ms", 400, "first_token"),
        ("maximum_tier", "standard", "tier"),
        ("allow", ["demo-economy", "demo-standard"], "not_allowed"),
        ("deny", ["demo-premium"], "denied"),
        ("pin", ["demo-standard"], "not_pinned"),
    ],
)
def test_each_need_rejects_with_a_code_of_its_own_in_a_body_and_in_a_header(client, field, value, code):
    in_body = client.post("/route", json=route_body(**{field: value})).json()
    text = ",".join(value) if isinstance(value, list) else str(value)
    header = {f"x-weighbridge-{field.replace('_', '-')}": text}
    in_header = client.post("/route", json=route_body(), headers=header).json()
    assert codes(in_body)["demo-premium"] == code
    assert codes(in_body) == codes(in_header)
    assert in_body["deployment"] == in_header["deployment"]


def test_a_chat_is_bound_by_its_headers_too(client):
    answer = client.post(
        "/v1/chat/completions", json=chat_body(), headers={"x-weighbridge-minimum-tier": "premium"}
    )
    assert answer.headers["x-weighbridge-deployment"] == "demo-premium"


def test_a_minimum_tier_that_nobody_knows_is_refused_with_the_known_ones(client):
    answer = client.post("/route", json=route_body(minimum_tier="premum"))
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "minimum_tier"
    assert "economy, standard, premium" in error["message"]


def test_a_denial_of_what_does_not_exist_is_an_error_not_a_void_one(client):
    answer = client.post("/route", json=route_body(deny=["demo-premuim"]))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "deny")


@pytest.mark.parametrize(
    ("name", "value"),
    [("complience", "gdpr"), ("max-cost-usd", "cheap"), ("max-cost-usd", "nan"), ("quality-floor", "2")],
)
def test_a_header_that_cannot_be_used_is_refused_by_name(client, name, value):
    answer = client.post("/route", json=route_body(), headers={f"x-weighbridge-{name}": value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, f"x-weighbridge-{name}")


def test_a_body_and_a_header_that_differ_are_refused(client):
    header = {"x-weighbridge-max-cost-usd": "0.5"}
    answer = client.post("/route", json=route_body(max_cost_usd=0.1), headers=header)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "max_cost_usd")


def test_the_headers_of_an_answer_may_be_sent_back(client):
    answer = client.post("/v1/chat/completions", json=chat_body())
    ours = {name: value for name, value in answer.headers.items() if name.startswith("x-weighbridge")}
    assert client.post("/v1/chat/completions", json=chat_body(), headers=ours).status_code == 200


def test_the_dial_turns_from_the_cheapest_to_the_best(client):
    chosen = [
        client.post("/route", json=route_body(cost_versus_quality=dial)).json()["ranking"][0]
        for dial in (0, 0.5, 1)
    ]
    assert chosen[0]["token_cost_usd"] <= chosen[1]["token_cost_usd"] < chosen[2]["token_cost_usd"]
    assert chosen[0]["quality"] <= chosen[1]["quality"] < chosen[2]["quality"]


def test_parallel_calls_asked_for_in_the_body_need_a_deployment_that_has_them(client):
    decision = client.post("/route", json=route_body(tools=TOOLS, parallel_tool_calls=True)).json()
    assert codes(decision)["demo-standard"] == "capability"
    assert decision["deployment"] == "demo-premium"


def test_a_spoken_answer_needs_a_deployment_that_speaks(client):
    answer = client.post("/v1/chat/completions", json=chat_body(modalities=["text", "audio"]))
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "capabilities"


def test_a_pin_is_taken_in_its_order_and_keeps_every_other_limit(client):
    pin = ["demo-premium", "demo-economy"]
    decision = client.post("/route", json=route_body(pin=pin)).json()
    assert (decision["deployment"], decision["reason"]) == ("demo-premium", "pinned")
    barred = client.post("/route", json=route_body(pin=["demo-economy"], compliance=["gdpr"]))
    assert barred.status_code == 422


def ask(keyed, key, **fields):
    return keyed.post("/route", json=route_body(**fields), headers={"authorization": f"Bearer {key}"})


def test_what_holds_for_a_key_holds_for_all_it_sends(keyed):
    decision = ask(keyed, "kb").json()
    assert decision["deployment"] == "demo-standard"
    assert codes(decision) == {"demo-economy": "compliance", "demo-premium": "tier"}


def test_a_request_cannot_loosen_the_limits_of_its_key(keyed):
    assert ask(keyed, "kb", maximum_tier="premium").json()["deployment"] == "demo-standard"
    assert ask(keyed, "kb", minimum_tier="premium").status_code == 422
    assert ask(keyed, "kl", quality_floor=0.1).json()["quality_floor"] == 0.94
    assert ask(keyed, "kb", model="demo-premium").status_code == 422


def test_a_key_that_is_no_callers_is_refused(keyed):
    assert ask(keyed, "other").status_code == 401
