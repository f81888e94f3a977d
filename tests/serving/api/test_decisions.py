"""`GET /decisions/{id}` tells a caller why something was decided, and nobody else's business."""

from __future__ import annotations

import pytest

from tests.running import in_process
from tests.serving.api.bodies import chat_body, route_body

CALLERS = [
    {"name": "batch", "api_key_env": "BATCH_KEY", "compliance": ["gdpr"]},
    {"name": "shop", "api_key_env": "SHOP_KEY"},
]
ENVIRON = {"BATCH_KEY": "b", "SHOP_KEY": "s", "WEIGHBRIDGE_API_KEYS": "free-1,free-2"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decisions")
    with in_process(folder, ENVIRON, callers=CALLERS, log={"prompts": "text"}) as running:
        yield running


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def decided_by(client, key):
    return client.post("/route", json=route_body(), headers=bearer(key)).json()["decision_id"]


def test_a_decision_is_told_whole_right_after_it_was_made(client):
    made = client.post("/route", json=route_body(max_cost_usd=0.5, deny=["demo-premium"])).json()
    answer = client.get(f"/decisions/{made['decision_id']}")
    assert answer.status_code == 200
    told = answer.json()
    assert told["explanation"] == {name: made[name] for name in made if name != "decide_ms"}
    assert told["explanation"]["needs"] == {"max_cost_usd": 0.5, "deny": ["demo-premium"]}
    assert told["explanation"]["filters"] == {"denied": 1}
    assert (told["outcome"], told["feedback"]) == (None, [])


def test_a_dispatched_decision_is_told_with_its_outcome_and_feedback(client):
    decision_id = client.post("/v1/chat/completions", json=chat_body()).headers["x-weighbridge-decision-id"]
    client.post("/feedback", json={"decision_id": decision_id, "score": 1})
    told = client.get(f"/decisions/{decision_id}").json()
    assert told["outcome"]["status"] == "ok"
    assert [given["score"] for given in told["feedback"]] == [1.0]


def test_a_refused_request_can_be_looked_up_by_the_header_of_its_error(client):
    refused = client.post("/route", json=route_body(compliance=["fedramp"]))
    told = client.get(f"/decisions/{refused.headers['x-weighbridge-decision-id']}").json()
    assert told["deployment"] is None
    assert told["explanation"]["filters"] == {"compliance": len(told["explanation"]["rejected"])}


def test_a_prompt_that_is_logged_is_not_told(keyed):
    decision_id = decided_by(keyed, "s")
    answer = keyed.get(f"/decisions/{decision_id}", headers=bearer("s"))
    assert answer.json()["decision_id"] == decision_id
    assert "opening hours" not in answer.text


@pytest.mark.parametrize("decision_id", ["dec_nobody", "%27%20OR%201=1", "a" * 5_000, "%F0%9F%99%82", "%00"])
def test_an_unknown_id_is_a_404_that_says_where_ids_are_found(client, decision_id):
    answer = client.get(f"/decisions/{decision_id}")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("not_found", "decision_id")
    assert "x-weighbridge-decision-id" in error["message"]


@pytest.mark.parametrize("key", ["b", "s", "free-1"])
def test_a_key_sees_its_own_decisions(keyed, key):
    told = keyed.get(f"/decisions/{decided_by(keyed, key)}", headers=bearer(key)).json()
    assert told["caller"] == {"b": "batch", "s": "shop"}.get(key)


@pytest.mark.parametrize(("of", "by"), [("b", "s"), ("s", "b"), ("b", "free-1"), ("free-1", "s")])
def test_a_decision_of_another_is_as_unknown_as_one_that_was_never_made(keyed, of, by):
    theirs = decided_by(keyed, of)
    answer, never = (keyed.get(f"/decisions/{name}", headers=bearer(by)) for name in (theirs, "dec_never"))
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].replace(theirs, "x") == never.json()["error"]["message"].replace(
        "dec_never", "x"
    )


def test_keys_without_a_row_share_what_no_caller_of_a_row_made(keyed):
    assert keyed.get(f"/decisions/{decided_by(keyed, 'free-1')}", headers=bearer("free-2")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_a_decision_can_only_be_read(client, method):
    assert client.request(method, "/decisions/dec_1").status_code == 405
