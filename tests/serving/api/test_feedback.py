"""`POST /feedback` stores what someone thought of an answer against its decision."""

from __future__ import annotations

import pytest

from tests.running import logged
from tests.serving.api.bodies import chat_body, feedback_body, route_body


def decided(client):
    return client.post("/route", json=route_body()).json()["decision_id"]


@pytest.mark.parametrize(
    "given", [{"score": 0.0}, {"score": 1}, {"label": "too_weak"}, {"score": 0.5, "label": "overkill"}]
)
def test_feedback_is_accepted_and_found_in_the_export(client, given):
    decision_id = decided(client)
    answer = client.post("/feedback", json={"decision_id": decision_id, "comment": "hm", **given})
    assert answer.status_code == 202
    assert answer.json()["decision_id"] == decision_id
    (stored,) = logged(client)[decision_id]["feedback"]
    assert stored["feedback_id"] == answer.json()["feedback_id"]
    assert (stored["score"], stored["label"]) == (given.get("score"), given.get("label"))
    assert (stored["comment"], stored["source"]) == ("hm", "human")


def test_feedback_finds_the_decision_of_a_chat_by_its_header(client):
    decision_id = client.post("/v1/chat/completions", json=chat_body()).headers["x-weighbridge-decision-id"]
    answer = client.post("/feedback", json=feedback_body(decision_id=decision_id, source="judge"))
    assert answer.status_code == 202
    row = logged(client)[decision_id]
    assert row["outcome"]["status"] == "ok"
    assert row["feedback"][0]["source"] == "judge"


def test_a_second_opinion_stands_beside_the_first(client):
    decision_id = decided(client)
    for score in (0.0, 1.0):
        client.post("/feedback", json=feedback_body(decision_id=decision_id, score=score))
    assert [row["score"] for row in logged(client)[decision_id]["feedback"]] == [0.0, 1.0]


def test_feedback_on_an_unknown_decision_is_a_404_that_names_the_id(client):
    answer = client.post("/feedback", json=feedback_body(decision_id="dec_nobody"))
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "decision_id"
    assert "dec_nobody" in answer.json()["error"]["message"]


def test_feedback_without_an_opinion_is_refused(client):
    answer = client.post("/feedback", json={"decision_id": decided(client)})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "score"
