"""Only what passed its verdict answers, everything that changes is recorded, and a rollback undoes it."""

from __future__ import annotations

import errno
import json
import os
import pwd
import subprocess
import sys

import pytest
from click.testing import CliRunner

from classifier.rollout_file import Plan, read_plan
from serving.cli import promote as module
from serving.cli.promote import promote, rollback
from serving.cli.rollout_history import HISTORY
from serving.cli.rollout_lock import one_at_a_time
from tests.artifacts import CHAMPION, add_artifact, damage, pass_verdict, write_models
from tests.running import clean_environ


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


@pytest.mark.parametrize("role", ["shadow", "canary", "champion"])
def test_a_failed_verdict_names_its_checks_and_keeps_from_every_role(models, role):
    pass_verdict(models, "third", "under-routing beside the champion")
    assert "under-routing beside the champion" in refused(models, "third", "--to", role)


def test_who_was_judged_beside_another_champion_is_promoted_with_a_note(models):
    pass_verdict(models, "third")
    assert "Note" not in run(promote, "next", "--to", "champion").output
    result = run(promote, "third", "--to", "champion")
    assert result.exit_code == 0 and f"held it beside {CHAMPION}, since when next" in result.output


def test_a_verdict_on_other_files_says_nothing(models):
    manifest = models / "next" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    assert "of another artifact" in refused(models, "next", "--to", "champion")


def test_the_shipped_champion_answers_without_a_verdict_and_is_promoted_with_one(models):
    run(promote, "next", "--to", "champion")
    assert "there is no verdict" in run(promote, CHAMPION, "--to", "champion").output
    assert run(rollback).exit_code == 0
    assert read_plan(models) == Plan(CHAMPION)


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
    assert (entry["version"], entry["to"], entry["verdict"]) == ("third", "champion", "missing")
    assert entry["who"] == pwd.getpwuid(os.getuid()).pw_name
    assert (entry["before"]["champion"], entry["after"]["champion"]) == (CHAMPION, "third")


def test_an_override_of_a_failed_verdict_keeps_what_had_failed(models):
    pass_verdict(models, "third", "two tiers too low, corpus")
    result = run(promote, "third", "--to", "canary", "--override", "--why", "a share of one percent")
    assert result.exit_code == 0, result.output
    (entry,) = history(models)
    assert (entry["verdict"], entry["failed"]) == ("failed", ["two tiers too low, corpus"])


def test_an_override_that_was_not_needed_is_none(models):
    assert run(promote, "next", "--to", "champion", "--override", "--why", "to be sure").exit_code == 0
    (entry,) = history(models)
    assert (entry["override"], entry["verdict"], entry["failed"]) == (False, "passed", [])


def test_two_promotions_at_once_both_count(models):
    pass_verdict(models, "third")
    commands = [
        [sys.executable, "-m", "weighbridge", "promote", *arguments]
        for arguments in (("next", "--to", "canary"), ("third", "--to", "shadow"))
    ]
    running = [
        subprocess.Popen(command, cwd=models.parent, env=clean_environ(), stderr=subprocess.PIPE)
        for command in commands
    ]
    for process in running:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert read_plan(models) == Plan(CHAMPION, "next", 0.1, "third")
    first, second = history(models)
    assert second["before"] == first["after"]


def test_whoever_waits_too_long_for_another_promotion_is_told(models, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    with one_at_a_time(models, 0.0):
        assert "Another promotion or rollback" in refused(models, "next", "--to", "champion")
    assert run(promote, "next", "--to", "champion").exit_code == 0


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
    (models / HISTORY).write_text('{"action": "promote"\n')
    result = run(rollback)
    assert result.exit_code == 1
    assert "line 1" in result.output and "Remove it" in result.output


def test_what_a_kill_has_left_of_a_record_is_no_promotion_and_keeps_nobody_from_the_next(models):
    assert run(promote, "next", "--to", "shadow").exit_code == 0
    with (models / HISTORY).open("a") as file:
        file.write('{"at": 1764, "action": "prom')
    assert run(promote, "next", "--to", "champion").exit_code == 0
    assert [one["to"] for one in history(models)] == ["shadow", "champion"]
    assert run(rollback).exit_code == 0 and run(rollback).exit_code == 0
    assert (read_plan(models).champion, read_plan(models).shadow) == (CHAMPION, None)


def test_a_record_that_the_disk_did_not_take_is_none(models, monkeypatch):
    assert run(promote, "next", "--to", "shadow").exit_code == 0
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", no_room)
        result = run(promote, "next", "--to", "champion")
    assert result.exit_code == 1 and "Nothing has changed" in result.output
    assert len(history(models)) == 1
    assert run(rollback).exit_code == 0
    assert read_plan(models).shadow is None


def no_room(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
