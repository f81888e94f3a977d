"""Exploration in a running service: a share of the traffic, its probability told; rules keep out of it."""

from __future__ import annotations

from tests.running import in_process, logged
from tests.serving.api.bodies import route_body

RULE = {"name": "calm", "when": {"words": ["calm"]}, "then": {"exploration": False}}
# the cap would leave a lowest tier that is full
OPEN = {"exploration_share": 0.5, "share_cap": 1.0, "quality_floor": 0.0}


def test_a_share_explores_and_the_log_says_with_which_probability(tmp_path):
    with in_process(tmp_path, policy=OPEN) as client:
        for _ in range(60):
            client.post("/route", json=route_body())
        rows = list(logged(client).values())
    reasons = {row["reason"]: row for row in rows}
    assert set(reasons) == {"least_total_cost", "exploration"}
    assert {row["propensity"] for row in rows} == {0.5}
    explored, plain = reasons["exploration"], reasons["least_total_cost"]
    assert (plain["tier"], explored["tier"]) == ("economy", "standard")
    assert explored["explanation"]["exploration_draw"] < 0.5 <= plain["explanation"]["exploration_draw"]


def test_a_rule_keeps_prompts_out_of_it(tmp_path):
    with in_process(tmp_path, policy=OPEN, rules=[RULE]) as client:
        for _ in range(40):
            client.post("/route", json=route_body(prompt="Keep calm."))
        rows = list(logged(client).values())
    assert {(row["reason"], row["propensity"]) for row in rows} == {("least_total_cost", 1.0)}
    assert {row["explanation"]["exploration_draw"] for row in rows} == {1.0}
