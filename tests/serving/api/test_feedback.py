"""`POST /feedback` stores what someone thought of an answer against its decision."""

from __future__ import annotations

import time

import pytest

from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body, feedback_body, route_body


def decided(client):
    return client.post("/route", json=route_body()).json()["decision_id"]


@pytest.mark.parametrize(
    "given",
    [
        {"score": 0.0},
        {"score": 1},
        {"thumb": "down"},
        {"label": "too_weak"},
        {"score": 0.5, "label": "overkill"},
    ],
)
def test_feedback_is_accepted_and_found_in_the_export(client, given):
    decision_id = decided(client)
    answer = client.post("/feedback", json={"decision_id": decision_id, "comment": "hm", **given})
    assert answer.status_code == 202
    assert answer.json()["decision_id"] == decision_id
    (stored,) = logged(client)[decision_id]["feedback"]
    assert stored["feedback_id"] == answer.json()["feedback_id"]
    assert {name: stored[name] for name in ("score", "thumb", "label")} == {
        "score": None, "thumb": None, "label": None, **given
    }  # fmt: skip
    assert (stored["holds"], stored["weight"], stored["comparison"]) == (True, 1.0, None)
    assert (stored["comment"], stored["source"]) == ("hm", "human")


def test_feedback_finds_the_decision_of_a_chat_by_its_header(client):
    decision_id = client.post("/v1/chat/completions", json=chat_body()).headers["x-weighbridge-decision-id"]
    answer = client.post("/feedback", json=feedback_body(decision_id=decision_id, source="judge"))
    assert answer.status_code == 202
    row = logged(client)[decision_id]
    assert row["outcome"]["status"] == "ok"
    assert row["feedback"][0]["source"] == "judge"


def test_of_one_source_the_last_word_holds_and_the_history_stays(client):
    decision_id = decided(client)
    for score in (0.0, 1.0):
        client.post("/feedback", json=feedback_body(decision_id=decision_id, score=score))
    client.post("/feedback", json=feedback_body(decision_id=decision_id, score=0.2, source="judge"))
    given = logged(client)[decision_id]["feedback"]
    assert [(one["source"], one["score"], one["holds"]) for one in given] == [
        ("human", 0.0, False),
        ("human", 1.0, True),
        ("judge", 0.2, True),
    ]


def test_feedback_that_comes_late_takes_its_place_in_time(client):
    decision_id = decided(client)
    now_s = time.time()
    for score, given_at in ((1.0, now_s), (0.0, now_s - 3_600)):
        client.post("/feedback", json=feedback_body(decision_id=decision_id, score=score, given_at=given_at))
    given = logged(client)[decision_id]["feedback"]
    assert [(one["score"], one["holds"]) for one in given] == [(0.0, False), (1.0, True)]


def test_a_sender_whose_clock_is_ahead_can_still_say_something_else_later(client):
    decision_id = decided(client)
    ahead = feedback_body(decision_id=decision_id, score=1.0, given_at=time.time() + 120)
    for body in (ahead, feedback_body(decision_id=decision_id, score=0.0)):
        assert client.post("/feedback", json=body).status_code == 202
    given = logged(client)[decision_id]["feedback"]
    assert [(one["score"], one["holds"]) for one in given] == [(1.0, False), (0.0, True)]


def test_feedback_from_the_future_is_refused(client):
    body = feedback_body(decision_id=decided(client), given_at=time.time() + 86_400)
    answer = client.post("/feedback", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "given_at")


def test_the_same_delivery_again_changes_nothing(client):
    body = feedback_body(decision_id=decided(client), feedback_id="mine-1")
    answers = [client.post("/feedback", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert [answer.json()["status"] for answer in answers] == ["stored", "known", "known"]
    assert len(logged(client)[body["decision_id"]]["feedback"]) == 1


def test_an_id_cannot_say_something_else_later(client):
    body = feedback_body(decision_id=decided(client), feedback_id="mine-1", score=1.0)
    client.post("/feedback", json=body)
    answer = client.post("/feedback", json=body | {"score": 0.0})
    assert answer.status_code == 409
    assert answer.json()["error"]["param"] == "feedback_id"
    assert [one["score"] for one in logged(client)[body["decision_id"]]["feedback"]] == [1.0]


def test_an_id_is_free_to_be_used_for_another_decision(client):
    bodies = [feedback_body(decision_id=decided(client), feedback_id="mine-1") for _ in range(2)]
    answers = [client.post("/feedback", json=body).json()["status"] for body in bodies]
    assert answers == ["stored", "stored"]
    rows = logged(client)
    assert [len(rows[body["decision_id"]]["feedback"]) for body in bodies] == [1, 1]


def test_a_comparison_names_the_tier_that_the_other_answer_came_from(client):
    ids = [
        client.post("/v1/chat/completions", json=chat_body(model=name)).headers["x-weighbridge-decision-id"]
        for name in ("demo-economy", "demo-premium")
    ]
    compared = {"other_decision_id": ids[1], "prefers": "other"}
    answer = client.post("/feedback", json={"decision_id": ids[0], "comparison": compared})
    assert answer.status_code == 202
    (stored,) = logged(client)[ids[0]]["feedback"]
    assert stored["comparison"] == compared | {"other_tier": "premium"}
    assert (stored["score"], stored["holds"]) == (None, True)


def test_a_comparison_with_itself_or_with_nothing_is_refused(client):
    decision_id = decided(client)
    for other, status in ((decision_id, 400), ("dec_nobody", 404)):
        compared = {"other_decision_id": other, "prefers": "this"}
        answer = client.post("/feedback", json={"decision_id": decision_id, "comparison": compared})
        assert answer.status_code == status
        assert answer.json()["error"]["param"] == "comparison.other_decision_id"


def test_a_grade_and_a_comparison_are_sent_apart(client):
    compared = {"other_decision_id": decided(client), "prefers": "this"}
    body = feedback_body(decision_id=decided(client), comparison=compared)
    assert client.post("/feedback", json=body).status_code == 400


@pytest.mark.parametrize("score", ["NaN", "Infinity", "-Infinity", "1e999", "-0.1", "1.1", '"1"', "true"])
def test_a_score_that_is_no_share_is_refused(client, score):
    decision_id = decided(client)
    raw = f'{{"decision_id": "{decision_id}", "score": {score}}}'
    answer = client.post("/feedback", content=raw.encode())
    assert answer.status_code == 400
    assert logged(client)[decision_id]["feedback"] == []


CALLERS = [{"name": "batch", "api_key_env": "BATCH_KEY"}, {"name": "shop", "api_key_env": "SHOP_KEY"}]
ENVIRON = {"BATCH_KEY": "b", "SHOP_KEY": "s", "WEIGHBRIDGE_API_KEYS": "free"}


def test_a_key_can_speak_of_its_own_decisions_alone(tmp_path):
    with in_process(tmp_path, ENVIRON, callers=CALLERS) as client:
        own, others = (
            client.post("/route", json=route_body(), headers={"authorization": f"Bearer {key}"}).json()
            for key in ("b", "s")
        )
        body = feedback_body(decision_id=others["decision_id"])
        compared = {"other_decision_id": others["decision_id"], "prefers": "this"}
        for key, given in (
            ("b", body),
            ("free", body),
            ("b", {"decision_id": own["decision_id"], "comparison": compared}),
        ):
            answer = client.post("/feedback", json=given, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == 404
            assert "There is no decision" in answer.json()["error"]["message"]
        assert client.post("/feedback", json=body, headers={"x-api-key": "s"}).status_code == 202
        assert [len(row["feedback"]) for row in logged(client).values()] == [0, 1]


def test_what_a_source_counts_for_is_what_the_settings_say(tmp_path):
    with in_process(tmp_path, feedback={"judge_weight": 0.25}) as client:
        decision_id = decided(client)
        for source in ("human", "judge", "check"):
            client.post("/feedback", json=feedback_body(decision_id=decision_id, source=source))
        given = logged(client)[decision_id]["feedback"]
    assert [(one["source"], one["weight"]) for one in given] == [
        ("human", 1.0), ("judge", 0.25), ("check", 1.0)
    ]  # fmt: skip


def test_feedback_on_an_unknown_decision_is_a_404_that_names_the_id(client):
    answer = client.post("/feedback", json=feedback_body(decision_id="dec_nobody"))
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "decision_id"
    assert "dec_nobody" in answer.json()["error"]["message"]


def test_feedback_without_an_opinion_is_refused(client):
    answer = client.post("/feedback", json={"decision_id": decided(client)})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "score"
