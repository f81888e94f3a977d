"""`weighbridge explain` tells one logged decision as a sum that a person can check, and what came of it."""

from __future__ import annotations

import json
import re

import pytest

from tests.running import in_process, weighbridge
from tests.serving.api.bodies import chat_body, route_body


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("explain")


@pytest.fixture(scope="module")
def ids(folder):
    rules = [
        {
            "name": "contracts",
            "when": {"words": ["clause"]},
            "then": {"minimum_tier": "standard", "compliance": ["gdpr"]},
        }
    ]
    with in_process(folder, rules=rules) as client:
        chat = client.post("/v1/chat/completions", json=chat_body()).headers["x-weighbridge-decision-id"]
        client.post("/feedback", json={"decision_id": chat, "score": 0.5, "label": "too_weak"})
        ruled = client.post("/route", json=route_body(prompt="Is this clause void?", max_cost_usd=0.25))
        refused = client.post("/route", json=route_body(compliance=["fedramp"]))
        found = (chat, ruled.json()["decision_id"], refused.headers["x-weighbridge-decision-id"])
    return dict(zip(("chat", "ruled", "refused"), found, strict=True))


def explained(folder, *arguments):
    done = weighbridge("explain", *arguments, "--config", "weighbridge.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_printed_sums_add_up_and_one_is_chosen(folder, ids):
    text = explained(folder, ids["chat"])
    sums = [line for line in text.splitlines() if " = $" in line]
    assert len(sums) == 3
    for line in sums:
        *parts, total = (float(amount) for amount in re.findall(r"\$([0-9.]+)", line))
        assert abs(sum(parts) - total) <= 2e-5
    assert text.count("chosen") == 1


def test_what_came_of_it_stands_below(folder, ids):
    text = explained(folder, ids["chat"])
    assert re.search(
        r"^ok by demo-\w+: [\d,]+ ms \([\d,]+ ms expected\), \d+ tokens out, \$0\.\d{6}", text, re.M
    )
    assert "feedback from human: score 0.5, too_weak" in text


def test_rules_needs_and_filters_are_told(folder, ids):
    text = explained(folder, ids["ruled"])
    assert "rules: contracts" in text
    asked = next(line for line in text.splitlines() if line.startswith("asked for"))
    for word in ("max_cost_usd 0.25", "minimum_tier standard", "compliance gdpr"):
        assert word in asked
    assert "nothing was dispatched" in text


def test_a_refusal_names_the_reason_of_each_deployment(folder, ids):
    text = explained(folder, ids["refused"])
    assert text.count("not cleared for fedramp") == 3
    assert "compliance rejected 3" in text
    assert "nobody could serve it" in text


def test_the_ids_to_trace_it_by_are_told(folder, ids):
    row = json.loads(explained(folder, ids["chat"], "--json"))
    made_with = next(line for line in explained(folder, ids["chat"]).splitlines() if "made with" in line)
    for name in ("policy", "snapshot", "artifact"):
        assert f"{name} {row[name]}" in made_with


def test_json_is_the_row_of_the_export(folder, ids):
    row = json.loads(explained(folder, ids["chat"], "--json"))
    (exported,) = (
        json.loads(line)
        for line in weighbridge("export-log", "--config", "weighbridge.toml", cwd=folder).stdout.splitlines()
        if ids["chat"] in line
    )
    assert row == exported


def test_an_unknown_id_says_where_ids_are_found(folder, ids):
    done = weighbridge("explain", "dec_nobody", "--config", "weighbridge.toml", cwd=folder)
    assert done.returncode == 1
    assert "dec_nobody" in done.stderr
    assert "x-weighbridge-decision-id" in done.stderr


def test_without_a_log_the_way_out_is_told(tmp_path):
    done = weighbridge("explain", "dec_1", cwd=tmp_path)
    assert done.returncode == 1
    assert "Start the service" in done.stderr
