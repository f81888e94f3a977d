"""One arm from its first prompt to its last: traffic → export → labels → retrain → promote → swap → measure.

Everything goes through the service and the commands that anybody has; an arm keeps a folder of its own.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from classifier.rollout_file import Plan as Rollout
from classifier.rollout_file import write_plan
from training.simulation.commands import Done, must, run
from training.simulation.labels import write_export
from training.simulation.measures import Measured, measure
from training.simulation.plan import ARMS, Plan, folder_of
from training.simulation.service import MODELS, SETTINGS, Caller, caller, chosen, keys, served, write_settings
from training.simulation.world import Step, World, steps

BASE = "base"
DONE = "done.json"
COMMANDS = "commands.log"
TRAINING = "training.toml"

Advance = Callable[[int], object]


@dataclass(slots=True)
class Arm:
    """An arm at work; `enough` is what the tiers would have been worth for each answered decision."""

    name: str
    plan: Plan
    world: World
    folder: Path
    training: Path
    service: Caller
    advance: Advance
    enough: dict[str, tuple[bool, ...]] = field(default_factory=dict)

    def retrained(self, answers: int) -> dict[str, Any]:
        """Retrain on all that came so far, let the gate judge, and promote what has passed."""
        version = f"{self.name}-{answers}"
        started = time.monotonic()
        done = self._run(
            "retrain", "--export", str(self._export(version)), "--models", str(self.folder / MODELS),
            "--version", version, "--config", str(self.training), "--work", str(self.folder / "work"),
        )  # fmt: skip
        told = {
            "version": version,
            "retrain_status": done.status,
            "retrain_seconds": round(time.monotonic() - started, 1),
            "verdict": self._verdict(version),
            "promoted": False,
        }
        if told["verdict"] is None:
            return told | {"said": _last(done)}
        return told | self.promoted(version)

    def promoted(self, version: str) -> dict[str, Any]:
        """Promote a candidate to champion, and wait until the running service has taken it over."""
        done = self._run("promote", version, "--to", "champion", "--config", SETTINGS)
        if done.status:
            return {"said": _last(done)}
        return {"promoted": True, "swap_seconds": round(self.service.wait_for(version), 2)}

    def answered(self, some: Iterator[Step]) -> dict[str, Any]:
        """Let prompts be routed, answered and partly rated; return what that came to."""
        tiers = list(self.plan.tiers)
        scores, usd, thumbs = [], [], {"up": 0, "down": 0}
        for step in some:
            name = caller(step.caller)
            decision = self.service.route(step.prompt.text, name)
            self.service.observe(decision, self.plan.output_tokens, name)
            tier = tiers.index(decision["tier"])
            self.enough[decision["decision_id"]] = step.prompt.enough(self.plan.margin)
            scores.append(step.answers[tier])
            usd.append(chosen(decision)["token_cost_usd"])
            thumb = step.thumb(tier)
            if thumb is not None:
                self.service.rate(decision, thumb, name)
                thumbs[thumb] += 1
            self.advance(1)
        count = max(1, len(scores))
        return {
            "answers": len(scores),
            "quality": round(sum(scores) / count, 4),
            "usd_per_1000": round(1_000 * sum(usd) / count, 4),
            "thumbs": thumbs,
        }

    def measured(self) -> Measured:
        """Measure on the fresh prompts."""
        found = measure(self.service, self.world.fresh, self.plan.tiers)
        self.advance(len(self.world.fresh))
        return found

    def _export(self, version: str) -> Path:
        came = self.folder / "export.jsonl"
        must(
            "export-log", "-o", str(came), "--config", SETTINGS,
            folder=self.folder, keys=keys(self.plan), log=self.folder / COMMANDS,
        )  # fmt: skip
        return write_export(came, self.folder / f"{version}.jsonl", self.name, self.enough, self.plan.tiers)

    def _run(self, *arguments: str) -> Done:
        return run(*arguments, folder=self.folder, keys=keys(self.plan), log=self.folder / COMMANDS)

    def _verdict(self, version: str) -> dict[str, Any] | None:
        """Return what the gate said; None where there is nothing that it could have judged."""
        file = self.folder / MODELS / f"{version}.verdict.json"
        if not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found


def run_arm(name: str, world: World, plan: Plan, out: Path, advance: Advance) -> dict[str, Any]:
    """Return what came of an arm; one that was finished before is read again."""
    folder = folder_of(out, name)
    kept = folder / DONE
    if kept.is_file():
        advance(effort(name, world, plan))
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    shutil.rmtree(folder, ignore_errors=True)
    (folder / MODELS).mkdir(parents=True)
    shutil.copytree(out / BASE, folder / MODELS / BASE)
    write_plan(folder / MODELS, Rollout(champion=BASE))
    write_settings(folder, plan)
    with served(folder, plan) as service:
        arm = Arm(name, plan, world, folder, out / TRAINING, service, advance)
        found = _course(arm)
    unfinished = kept.with_suffix(".part")
    unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(kept)
    return found


def effort(name: str, world: World, plan: Plan) -> int:
    """Return how many requests for a decision an arm makes at least, for its progress."""
    measures = 1 + len(plan.answers) * (1 if ARMS[name] is None else 2)
    return plan.answers[-1] + measures * len(world.fresh)


def _course(arm: Arm) -> dict[str, Any]:
    traffic = steps(arm.world, arm.plan, arm.plan.answers[-1])
    start = arm.measured()
    stages, before = [], 0
    for answers in arm.plan.answers:
        live = arm.answered(islice(traffic, answers - before))
        stage: dict[str, Any] = {"answers": answers, "live": live, "before": arm.measured().as_dict()}
        if ARMS[arm.name] is not None:
            stage |= arm.retrained(answers)
            stage["after"] = arm.measured().as_dict()
        stages.append(stage)
        before = answers
    return {
        "arm": arm.name,
        "start": start.as_dict(),
        "stages": stages,
        "requests": arm.service.requests,
    }


def _last(done: Done) -> list[str]:
    return done.said.strip().splitlines()[-3:]
