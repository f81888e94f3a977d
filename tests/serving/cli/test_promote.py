"""Only what passed its verdict answers, everything that changes is recorded, and a rollback undoes it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from classifier.rollout_file import Plan, read_plan
from serving.cli.promote import HISTORY, promote, rollback
from tests.artifacts import CHAMPION, add_artifact, damage, pass_verdict, write_models


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    (tmp_path / "weighbridge.toml").write_text('classifier.models = "models"')
    models = write_models(tmp_path / "models", "next", "third")
    pass_verdict(models, "next")
    return models


def run(command, *arguments):
    return CliRunner().invoke(command, list(arguments))


def history(models):
    return [json.loads(line) for line in (models / HISTORY).read_text().splitlines()]


def refused(models, *arguments):
    before = (models / "rollout.toml").read_bytes()
    result = run(promote, *arguments)
    assert result.exit_code == 1, result.output
    assert (models / "rollout.toml").read_bytes() == before
    assert not (models / HISTORY).exists()
    return result.output


def test_an_artifact_goes_from_shadow_to_canary_to_champion_and_back(models):
    steps = [
        (("next", "--to", "shadow"), Plan(CHAMPION, shadow="next")),
        (("next", "--to", "canary", "--share", "0.2"), Plan(CHAMPION, "next", 0.2)),
        (("next", "--to", "champion"), Plan("next")),
    ]
    for arguments, plan in steps:
        result = run(promote, *arguments)
        assert result.exit_code == 0, result.output
        assert read_plan(models) == plan
    for plan in (steps[1][1], steps[0][1], Plan(CHAMPION)):
        result = run(rollback)
        assert result.exit_code == 0, result.output
        assert read_plan(models) == plan
    result = run(rollback)
    assert result.exit_code == 1
    assert "no promotion to undo" in result.output


def test_a_promotion_after_a_rollback_is_the_next_to_be_undone(models):
    run(promote, "next", "--to", "champion")
    run(rollback)
    run(promote, "next", "--to", "canary")
    assert run(rollback).exit_code == 0
    assert read_plan(models) == Plan(CHAMPION)


def test_without_a_verdict_an_artifact_may_watch_and_nothing_more(models):
    for role in ("canary", "champion"):
        assert "there is no verdict" in refused(models, "third", "--to", role)
    assert run(promote, "third", "--to", "shadow").exit_code == 0


def test_a_failed_verdict_names_its_checks(models):
    pass_verdict(models, "third", "under-routing beside the champion")
    assert "under-routing beside the champion" in refused(models, "third", "--to", "champion")


@pytest.mark.parametrize("verdict", ["", "[]", '{"passed": "yes"}', '{"passed": 1}', "{}"])
def test_what_is_no_verdict_does_not_pass(models, verdict):
    (models / "third.verdict.json").write_text(verdict)
    refused(models, "third", "--to", "champion")


def test_an_override_needs_its_reason_and_is_recorded(models):
    assert "--why" in refused(models, "third", "--to", "champion", "--override")
    assert "--why" in refused(models, "third", "--to", "champion", "--override", "--why", " ")
    result = run(promote, "third", "--to", "champion", "--override", "--why", "the gate's bound is wrong")
    assert result.exit_code == 0, result.output
    (entry,) = history(models)
    assert (entry["override"], entry["why"]) == (True, "the gate's bound is wrong")
    assert (entry["before"]["champion"], entry["after"]["champion"]) == (CHAMPION, "third")


def test_what_the_service_would_refuse_is_not_promoted(models):
    damage(models / "next")
    assert "damaged" in refused(models, "next", "--to", "champion")
    add_artifact(models, "other", tiers=["low", "high"])
    pass_verdict(models, "other")
    assert "the tiers low, high" in refused(models, "other", "--to", "champion")
    assert "no readable manifest" in refused(models, "nowhere", "--to", "shadow")
    assert "no version" in refused(models, "../models/next", "--to", "shadow")


def test_the_champion_is_in_no_other_role(models):
    assert "is the champion" in refused(models, CHAMPION, "--to", "shadow")


def test_a_rollback_to_what_is_damaged_by_now_is_refused(models):
    run(promote, "next", "--to", "champion")
    damage(models / CHAMPION)
    result = run(rollback)
    assert result.exit_code == 1
    assert "damaged" in result.output
    assert read_plan(models) == Plan("next")


def test_a_broken_champion_does_not_keep_another_from_its_place(models):
    damage(models / CHAMPION)
    assert run(promote, "next", "--to", "champion").exit_code == 0


def test_a_damaged_history_is_told(models):
    (models / HISTORY).write_text('{"action": "promote"')
    result = run(rollback)
    assert result.exit_code == 1
    assert "line 1" in result.output
