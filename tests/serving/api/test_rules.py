"""Rules reach decisions: with the classifier and without one, and the decision says which acted."""

from __future__ import annotations

import pytest

from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body, route_body

RULES = [
    {"name": "opening hours", "when": {"words": ["opening"]}, "then": {"minimum_tier": "premium"}},
    {"name": "free", "when": {"user_tiers": ["free"]}, "then": {"maximum_tier": "economy"}},
    {"name": "team", "when": {"metadata": {"team": "x"}}, "then": {"compliance": ["hipaa"]}},
    {"name": "easy", "when": {"regex": "(?i)prove"}, "then": {"needs": "economy", "control_group": False}},
]
CALLERS = [{"name": "trial", "api_key_env": "TRIAL_KEY", "user_tier": "free"}]
PROOF = {"prompt": "Prove that the square root of 2 is irrational."}


@pytest.fixture(scope="module")
def ruled(tmp_path_factory):
    with in_process(
        tmp_path_factory.mktemp("ruled"), {"TRIAL_KEY": "t"}, rules=RULES, callers=CALLERS
    ) as running:
        running.headers["authorization"] = "Bearer t"
        yield running


def test_a_rule_binds_a_request_and_the_decision_names_it(ruled):
    decision = ruled.post("/route", json=route_body())
    assert decision.status_code == 422
    hello = ruled.post("/route", json={"prompt": "Say hello."}).json()
    assert (hello["deployment"], hello["rules"]) == ("demo-economy", ["free"])


def test_a_rule_states_what_a_prompt_needs(ruled):
    decision = ruled.post("/route", json=PROOF).json()
    assert (decision["prediction_source"], decision["required_tier"]) == ("rule", "economy")
    assert decision["rules"] == ["free", "easy"]


def test_rules_ask_about_the_metadata_of_a_chat(ruled):
    answer = ruled.post("/v1/chat/completions", json=chat_body(metadata={"team": "x"}))
    assert answer.status_code == 422
    assert "hipaa" in answer.json()["error"]["message"]
    (row,) = [row for row in logged(ruled).values() if "team" in row["explanation"]["rules"]]
    assert row["deployment"] is None


def test_rules_work_without_a_classifier(tmp_path):
    with in_process(tmp_path, classifier={"models": str(tmp_path)}, rules=RULES[3:]) as client:
        assert client.post("/route", json={"prompt": "Hello"}).json()["deployment"] == "demo-premium"
        decision = client.post("/route", json=PROOF).json()
        assert (decision["deployment"], decision["rules"]) == ("demo-economy", ["easy"])


def test_the_control_group_always_gets_the_highest_tier_and_stays_the_same(tmp_path):
    with in_process(tmp_path, policy={"control_share": 0.5}, rules=RULES[3:]) as client:
        users = [f"user {place}" for place in range(40)]
        first, second = (
            {
                user: client.post("/route", json={"prompt": "Say hello.", "user": user}).json()
                for user in users
            }
            for _ in range(2)
        )
        group = {user for user, decision in first.items() if decision["reason"] == "control_group"}
        assert group == {user for user, decision in second.items() if decision["reason"] == "control_group"}
        assert 8 <= len(group) <= 32
        assert {first[user]["deployment"] for user in group} == {"demo-premium"}
        assert {decision["propensity"] for decision in first.values()} == {0.5}
        exempt = [client.post("/route", json=PROOF | {"user": user}).json() for user in group]
        assert {(row["deployment"], row["propensity"]) for row in exempt} == {("demo-economy", 1.0)}


def test_the_control_group_yields_to_limits(tmp_path):
    with in_process(tmp_path, policy={"control_share": 1.0}) as client:
        decision = client.post("/route", json=route_body(maximum_tier="standard")).json()
        assert decision["tier"] in ("economy", "standard")
