"""The whole path with real processes: serve, route, feedback, export, retrain, promote, swap, measure."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest

from classifier.rollout_file import Plan as Rollout
from classifier.rollout_file import read_plan, write_plan
from classifier.verdict_file import Check, Verdict, manifest_sha256, write_verdict
from training.simulation.arms import TRAINING, Arm
from training.simulation.plan import SimulationError
from training.simulation.report import REPORT_TEXT, read_report
from training.simulation.run import simulate
from training.simulation.service import served
from training.simulation.world import build_world


@pytest.fixture(scope="module")
def run(outcomes, plan, tmp_path_factory):
    """Run the loop beside a service that is never retrained, without keeping a text; return all of it."""
    out = tmp_path_factory.mktemp("simulation")
    plan = replace(plan, arms=("loop", "never"), answers=(120,), prompts="features")
    return simulate(outcomes, plan, out, jobs=2), out, plan


def test_an_arm_that_never_retrains_keeps_the_artifact_it_started_with(run):
    report, out, _ = run
    (stage,) = report["arms"]["never"]["stages"]
    assert read_plan(out / "never" / "models").champion == "base"
    assert "verdict" not in stage
    assert stage["after"]["areas"] == report["start"]["areas"]


def test_the_loop_retrains_and_the_service_serves_what_its_gate_let_through(run):
    report, out, _ = run
    (stage,) = report["arms"]["loop"]["stages"]
    assert stage["verdict"]["champion"] == "base", (out / "loop" / "commands.log").read_text()
    assert stage["promoted"] == stage["verdict"]["passed"]
    champion = read_plan(out / "loop" / "models").champion
    assert champion == (stage["version"] if stage["promoted"] else "base")


def test_the_running_service_takes_over_what_has_passed_the_gate(run, outcomes):
    report, out, plan = run
    folder, (stage,) = out / "loop", report["arms"]["loop"]["stages"]
    models = folder / "models"
    write_plan(models, Rollout(champion="base"))
    passed = (Check("of this test", True, 0.0, 1.0),)
    sealed = manifest_sha256(models / stage["version"])
    write_verdict(models, Verdict(stage["version"], sealed, "base", None, passed))
    world = build_world(outcomes, plan)
    with served(folder, plan) as service:
        service.wait_for("base")
        arm = Arm("loop", plan, world, folder, out / TRAINING, service, lambda _: None)
        before = arm.measured()
        told = arm.promoted(stage["version"])
        assert told["promoted"], told
        assert (arm.measured().difficulty != before.difficulty).any()


def test_the_feedback_that_was_given_is_in_the_log_of_the_real_service_and_no_text_is(run):
    report, out, _ = run
    for arm in ("loop", "never"):
        thumbs = report["arms"][arm]["stages"][0]["live"]["thumbs"]
        with sqlite3.connect(out / arm / "decisions.db") as log:
            assert log.execute("select count(*) from feedback").fetchone() == (sum(thumbs.values()),)
            assert log.execute("select count(*) from outcomes").fetchone() == (120,)
            kept = log.execute("select count(prompt), count(vectors) from decisions").fetchone()
            assert kept[0] == 0 and kept[1] > 120
    assert sum(thumbs.values()) > 60


def test_the_report_stands_in_the_folder_as_figures_text_and_pictures(run):
    report, out, _ = run
    assert read_report(out) == json.loads(json.dumps(report))
    assert "Verdicts" in (out / REPORT_TEXT).read_text()
    for name in ("cost-quality.svg", "cost-quality-new.svg", "area-new.svg", "total.svg"):
        assert "</svg>" in (out / name).read_text()


def test_a_finished_arm_is_read_again_and_not_run_again(run, outcomes):
    report, out, plan = run
    log = out / "loop" / "decisions.db"
    before = log.stat().st_mtime_ns
    assert simulate(outcomes, plan, out)["arms"] == report["arms"]
    assert log.stat().st_mtime_ns == before


def test_a_folder_of_another_plan_or_of_something_else_is_left_alone(run, outcomes, tmp_path):
    _, out, plan = run
    with pytest.raises(SimulationError, match="another plan"):
        simulate(outcomes, replace(plan, seed=8), out)
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(SimulationError, match="something else"):
        simulate(outcomes, plan, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
