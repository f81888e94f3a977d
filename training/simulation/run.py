"""The loop on recorded outcomes: world → base artifact → one service per arm → what it was worth.

The real service, its log, its export, the real retraining with its gate, and the real promotion; recorded
scores take the place of the providers and, with their errors and silence, of the people.
"""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from training.config import TrainingConfig
from training.simulation.arms import BASE, COMMANDS, TRAINING, effort, run_arm
from training.simulation.commands import must
from training.simulation.plan import Plan, SimulationError
from training.simulation.report import report_of, write_report
from training.simulation.world import Prompt, World, build_world
from training.sources import Outcome

_PLAN = "plan.json"
_CORPUS = "corpus"
_EXAMS = "simulated_base.jsonl"


def simulate(rows: Sequence[Outcome], plan: Plan, out: Path, jobs: int = 2) -> dict[str, Any]:
    """Run every arm of a plan, write the report with its pictures into a folder, and return it.

    What a run with the same plan has finished there is kept: the base artifact, and each arm as a whole.
    """
    out = out.resolve()
    world = build_world(rows, plan)
    _claim(out, plan, rows)
    total = sum(effort(name, world, plan) for name in plan.arms)
    with tqdm(total=total, unit=" decisions", disable=None, file=sys.stderr) as bar:
        bar.set_description("training the base")
        make_base(world, plan, out)
        bar.set_description(f"{len(plan.arms)} arms")
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            running = [pool.submit(run_arm, name, world, plan, out, bar.update) for name in plan.arms]
            arms = [one.result() for one in running]
    report = report_of(plan, world, arms, usd_per_lost_quality())
    write_report(report, out)
    return report


def make_base(world: World, plan: Plan, out: Path) -> None:
    """Train the artifact that every arm starts from: the corpus, and the base prompts of the other tasks."""
    if (out / BASE).is_dir():
        return
    corpus = out / _CORPUS
    shutil.rmtree(corpus, ignore_errors=True)
    shutil.copytree(plan.training.corpus, corpus)
    lines = [json.dumps(_corpus_row(prompt, plan)) + "\n" for prompt in world.base]
    if lines:
        (corpus / _EXAMS).write_text("".join(lines), encoding="utf-8")
    config = out / TRAINING
    config.write_text(_training_settings(plan.training, corpus), encoding="utf-8")
    must(
        "train", "--config", str(config), "--output", str(out), "--version", BASE,
        folder=out, keys={}, log=out / COMMANDS,
    )  # fmt: skip


def usd_per_lost_quality() -> float:
    """Return what the simulated service pays for quality, from its settings."""
    text = Path(__file__).with_name("service.toml").read_text(encoding="utf-8")
    return float(tomllib.loads(text)["policy"]["usd_per_lost_quality"])


def _corpus_row(prompt: Prompt, plan: Plan) -> dict[str, str]:
    """Return a prompt labelled as the corpus is: the cheapest tier that does no worse than the best."""
    least = sum(not one for one in prompt.enough(plan.margin))
    return {
        "id": prompt.id,
        "prompt": prompt.text,
        "tier": plan.tiers[least],
        "domain": prompt.task,
        "kind": "question",
        "language": "en",
    }


def _training_settings(config: TrainingConfig, corpus: Path) -> str:
    """Return as TOML what differs from the defaults of training, with the corpus of this simulation."""
    usual = TrainingConfig()
    given = {
        one.name: getattr(config, one.name)
        for one in fields(TrainingConfig)
        if getattr(config, one.name) != getattr(usual, one.name) and one.name not in ("version", "output")
    }
    given["corpus"] = corpus
    given["cache"] = config.cache.resolve()
    return "".join(f"{name} = {json.dumps(value, default=str)}\n" for name, value in given.items())


def _claim(out: Path, plan: Plan, rows: Sequence[Outcome]) -> None:
    """Make the folder this plan's; raise SimulationError where it is another's."""
    # an arm can be run later, beside those that have been
    asked = {name: value for name, value in plan.as_dict().items() if name != "arms"}
    wanted = {"plan": asked, "training": _plain(plan.training), "rows": len(rows)}
    file = out / _PLAN
    if file.is_file():
        if json.loads(file.read_text(encoding="utf-8")) != json.loads(json.dumps(wanted)):
            raise SimulationError(
                f"{out} holds a simulation of another plan. Name another folder with --out."
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise SimulationError(f"{out} holds something else. Name another folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")


def _plain(config: TrainingConfig) -> dict[str, str]:
    return {one.name: str(getattr(config, one.name)) for one in fields(TrainingConfig)}
