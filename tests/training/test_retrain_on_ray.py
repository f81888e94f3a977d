"""A whole `weighbridge retrain` on a real Ray of two worker processes, beside the one of this process."""

from __future__ import annotations

from dataclasses import replace

from classifier.verdict_file import read_verdict
from tests.training.retraining import config_in, contents, run_command
from training import executor
from training.retrain_cli import FAILED_THE_GATE


def but_for_the_clock(verdict):
    """Return a verdict without what it says of milliseconds."""
    return replace(verdict, checks=tuple(one for one in verdict.checks if one.name != "latency"))


def test_the_command_on_ray_makes_the_bytes_and_the_verdict_that_it_makes_here(
    made, recipe, tmp_path, monkeypatch
):
    first, _, here = made
    config = replace(config_in(tmp_path, recipe), exports=first.exports)
    # nothing but Ray is left to do the work
    monkeypatch.setattr(executor, "LocalExecutor", None)
    done = run_command(config, "--executor", "ray", "--workers", "2")
    assert done.exit_code in (0, FAILED_THE_GATE), done.output
    there = config.models / here.folder.name
    assert contents(there) == contents(here.folder)
    found = read_verdict(config.models, there.name)
    assert but_for_the_clock(found) == but_for_the_clock(here.verdict)
    assert len(found.checks) == len(here.verdict.checks)
