"""A changed rollout takes the old one's place in one step, or is refused as a whole."""

from __future__ import annotations

import time

import pytest

from classifier.rollout_file import Plan, read_plan, write_plan
from classifier.tier_classifier import TierClassifier
from serving.rollout import Rollout
from tests.artifacts import CHAMPION, add_artifact, damage, write_models
from tests.running import in_process, logged
from tests.serving.api.bodies import route_body

PROMPT = {"prompt": "Are you open on Sunday?"}


def test_what_waits_for_the_shadow_is_small_however_long_the_prompt(models):
    write_plan(models, Plan(CHAMPION, shadow="next"))
    long = {"prompt": "word " * 1_000_000}
    (_, reading) = Rollout.load(models).weigh(long).shadow.args
    assert len(reading.request) + len(reading.context) < 20_000


@pytest.fixture
def models(tmp_path):
    return write_models(tmp_path / "models", "next", "third")


def answers(rollout, units=400):
    return [rollout.weigh(PROMPT, f"user-{number}").prediction.artifact for number in range(units)]


def test_nothing_is_loaded_anew_while_the_file_stays_the_same(models):
    rollout = Rollout.load(models)
    before = rollout._serving
    assert rollout.refresh() is False
    assert rollout._serving is before


def test_a_new_champion_answers_and_what_is_at_hand_is_not_loaded_again(models, monkeypatch):
    rollout = Rollout.load(models)
    loaded = []
    load = TierClassifier.load
    monkeypatch.setattr(TierClassifier, "load", lambda folder: loaded.append(folder.name) or load(folder))
    write_plan(models, Plan("next", canary=CHAMPION, canary_share=0.5))
    assert rollout.refresh() is True
    assert (rollout.artifact, loaded) == ("next", ["next"])


def test_a_request_keeps_the_artifact_it_began_with_when_another_takes_over_meanwhile(models, monkeypatch):
    rollout = Rollout.load(models)
    predict = TierClassifier.predict_one

    def slow(classifier, prompt):
        write_plan(models, Plan("next"))
        rollout.refresh()
        assert rollout.artifact == "next"
        return predict(classifier, prompt)

    monkeypatch.setattr(TierClassifier, "predict_one", slow)
    begun = rollout.weigh(PROMPT).prediction
    assert (begun.artifact, begun.source) == (CHAMPION, "classifier")
    assert rollout.weigh(PROMPT).prediction.artifact == "next"


def test_a_canary_answers_for_its_share_and_always_for_the_same(models):
    write_plan(models, Plan(CHAMPION, canary="next", canary_share=0.25))
    rollout = Rollout.load(models)
    first = answers(rollout)
    assert 60 <= first.count("next") <= 140
    assert answers(rollout) == first
    write_plan(models, Plan(CHAMPION, canary="next", canary_share=0.5))
    rollout.refresh()
    wider = answers(rollout)
    assert all(wider[place] == "next" for place, one in enumerate(first) if one == "next")
    assert wider.count("next") > first.count("next")


def test_a_shadow_says_what_it_would_have_said_and_answers_nobody(models):
    write_plan(models, Plan(CHAMPION, shadow="next"))
    rollout = Rollout.load(models)
    assert set(answers(rollout, 50)) == {CHAMPION}
    weighed = rollout.weigh(PROMPT)
    said = weighed.shadow()
    assert (said.artifact, said.sufficiency) == ("next", weighed.prediction.sufficiency)


def test_a_shadow_that_fails_is_counted_and_nothing_else_notices(models, monkeypatch, caplog):
    write_plan(models, Plan(CHAMPION, shadow="next"))
    rollout = Rollout.load(models)
    weighed = rollout.weigh(PROMPT)
    monkeypatch.setattr(TierClassifier, "predict_readings", lambda self, readings: 1 / 0)
    assert weighed.shadow() is None
    assert rollout.shadow_failures == 1
    monkeypatch.undo()
    monkeypatch.setattr(TierClassifier, "read", lambda self, prompt: 1 / 0)
    assert rollout.weigh(PROMPT).prediction.source == "classifier"
    assert rollout.shadow_failures == 2
    assert "Sunday" not in caplog.text


def graph(models):
    damage(models / "next")


def gone(models):
    (models / "next" / "tokenizer.json").unlink()


def other_tiers(models):
    add_artifact(models, "other", tiers=["low", "high"])
    write_plan(models, Plan("other"))


def no_such_folder(models):
    write_plan(models, Plan("1066.10"))


def damaged_canary(models):
    damage(models / "next")
    write_plan(models, Plan("third", canary="next", canary_share=0.5))


def not_toml(models):
    (models / "rollout.toml").write_text("champion: next\n")


def unknown_key(models):
    (models / "rollout.toml").write_text('champion = "next"\ncannary = "third"\n')


def share_of_no_size(models):
    (models / "rollout.toml").write_text('champion = "next"\ncanary = "third"\ncanary_share = nan\n')


def outside(models):
    (models / "rollout.toml").write_text('champion = "next"\nshadow = "../third"\n')


BAD = [
    graph,
    gone,
    other_tiers,
    no_such_folder,
    damaged_canary,
    not_toml,
    unknown_key,
    share_of_no_size,
    outside,
]


@pytest.mark.parametrize("spoil", BAD)
def test_a_plan_that_cannot_be_loaded_whole_is_refused_and_the_old_one_stays(models, spoil, caplog):
    rollout = Rollout.load(models)
    write_plan(models, Plan("next"))
    spoil(models)
    for _ in range(3):
        assert rollout.refresh() is False
    assert set(answers(rollout, 20)) == {CHAMPION}
    assert str(models) in rollout.refused
    assert (rollout.problem, rollout.failures) == (None, 0)
    assert sum("refused" in record.message for record in caplog.records) == 1


def test_a_plan_that_was_refused_is_taken_over_once_it_can_be(models):
    rollout = Rollout.load(models)
    write_plan(models, Plan("late"))
    assert rollout.refresh() is False
    add_artifact(models, "late")
    assert rollout.refresh() is True
    assert (rollout.artifact, rollout.refused) == ("late", None)


def test_a_file_that_is_missing_for_a_moment_changes_nothing(models):
    rollout = Rollout.load(models)
    (models / "rollout.toml").rename(models / "kept")
    assert rollout.refresh() is False
    assert rollout.artifact == CHAMPION


def test_a_service_that_began_without_an_artifact_gets_one_without_a_restart(models):
    (models / CHAMPION).rename(models / "away")
    rollout = Rollout.load(models)
    assert rollout.predict(PROMPT).source == "fallback"
    (models / "away").rename(models / CHAMPION)
    assert rollout.refresh() is True
    assert (rollout.predict(PROMPT).source, rollout.problem) == ("classifier", None)


def test_a_plan_comes_back_from_its_file_and_no_half_file_is_left(models):
    plan = Plan("next", "third", 0.125, CHAMPION)
    write_plan(models, plan)
    assert read_plan(models) == plan
    assert [file for file in models.iterdir() if file.name.startswith(".")] == []


def wait_for(happened):
    deadline = time.monotonic() + 10.0
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_running_service_takes_over_a_new_plan_and_logs_what_the_shadow_says(tmp_path, models):
    classifier = {"models": str(models), "refresh_ms": 20}
    with in_process(tmp_path, classifier=classifier) as client:
        assert client.post("/route", json=route_body()).json()["artifact"] == CHAMPION
        write_plan(models, Plan("next", shadow="third"))
        wait_for(lambda: client.get("/readyz").json()["artifact"] == "next")
        assert client.get("/readyz").json()["shadow"] == "third"
        made = client.post("/route", json=route_body()).json()
        assert made["artifact"] == "next"
        write_plan(models, Plan("1066.10"))
        wait_for(lambda: "1066.10" in client.get("/readyz").json()["rollout"])
        assert client.post("/route", json=route_body()).json()["artifact"] == "next"
        row = logged(client)[made["decision_id"]]
        assert row["shadow"] == {
            "artifact": "third",
            "required_tier": row["explanation"]["required_tier"],
            "sufficiency": row["sufficiency"],
        }
        assert client.get(f"/decisions/{made['decision_id']}").json()["shadow"]["artifact"] == "third"


def test_a_canary_is_sticky_for_a_user_over_http(tmp_path, models):
    write_plan(models, Plan(CHAMPION, canary="next", canary_share=0.5))
    with in_process(tmp_path, classifier={"models": str(models)}) as client:
        rounds = [
            [client.post("/route", json=route_body(user=f"u{n}")).json()["artifact"] for n in range(30)]
            for _ in range(2)
        ]
    assert rounds[0] == rounds[1]
    assert set(rounds[0]) == {CHAMPION, "next"}
