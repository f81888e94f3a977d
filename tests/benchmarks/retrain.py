"""`weighbridge retrain` over logs of growing length: the time of the whole command, and its peak memory.

Up to 100,000 rows also on a Ray of this machine's own with two workers, in turns with one process.

The rows are those of the real export: half of them keep the prompt, half embedding and features. Every one is
graded, which is more than any real log.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from classifier.artifact import bundled_models
from classifier.features import FEATURE_SCHEMA_VERSION
from classifier.tier_classifier import TierClassifier, TierPrediction
from tests.benchmarks.children import environment
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import ROOT, Plan
from tests.benchmarks.prose import Prose
from tests.logs import graded, template, write_export
from training.champion import load_champion

# Other numbers of rows to measure, such as 1500,20000.
ROWS_VARIABLE = "WEIGHBRIDGE_RETRAIN_ROWS"
_ROWS = (1_500, 100_000, 1_000_000)
_MOST_MB = 4_096
_TIERS = ("economy", "standard", "premium")
# Prompts of more words need a dearer tier in this world, but for one in ten.
_ENOUGH_WORDS = (18, 36, 1_000)
_NOISE = 0.1
_RAY = ("--executor", "ray", "--workers", "2")
_MOST_ON_RAY = 100_000
_LOOK_S = 0.5
_BANK = 2_000


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the command took, all processes that it started included; `megabytes` are its own."""

    seconds: float
    processor_s: float
    megabytes: float


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield seconds, seconds of processor time and peak megabytes for each length of the log."""
    asked = os.environ.get(ROWS_VARIABLE)
    sizes = tuple(int(one) for one in asked.split(",")) if asked else _ROWS[:1] if plan.is_quick else _ROWS
    for rows in sizes:
        export = write_export(plan.build / f"log-{rows}.parquet", _log(rows, plan.build))
        try:
            here = _run(export, plan.build / "retrain")
            on_ray = _run(export, plan.build / "retrain", *_RAY) if rows <= _MOST_ON_RAY else None
        finally:
            export.unlink()
        name = f"{rows:,} graded rows"
        yield Figure("retrain", f"{name}, elapsed", "s", (here.seconds,))
        yield Figure("retrain", f"{name}, processor", "s", (here.processor_s,))
        yield Figure("retrain", f"{name}, peak memory", "MB", (here.megabytes,), at_most=_MOST_MB)
        if on_ray is not None:
            yield from _beside(name, on_ray, here)


def _beside(name: str, on_ray: Ran, here: Ran) -> Iterator[Figure]:
    for label, one, other in (
        ("elapsed", on_ray.seconds, here.seconds),
        ("processor", on_ray.processor_s, here.processor_s),
    ):
        yield Figure("retrain", f"{name}, Ray, 2 workers, {label}", "s", (one,), "one process", (other,))


def _log(rows: int, folder: Path) -> Iterator[dict[str, Any]]:
    draw = np.random.default_rng(7)
    prose, row = Prose(), template(folder)
    champion = load_champion(bundled_models())
    bank = _bank(prose, champion.classifier)
    for number in range(rows):
        words = int(draw.integers(4, 60))
        needed = next(place for place, most in enumerate(_ENOUGH_WORDS) if words <= most)
        tier = int(draw.integers(0, len(_TIERS)))
        good = (tier >= needed) != (draw.random() < _NOISE)
        said = {"caller": f"team-{number % 12}", "propensity": 1.0 / len(_TIERS)}
        if number % 2:
            yield graded(row, number, prose.prompt(words), _TIERS[tier], good, **said)
        else:
            vectors = _vectors(bank[number % len(bank)], champion.manifest.encoder_id, draw)
            yield graded(row, number, None, _TIERS[tier], good, vectors=vectors, **said)


def _bank(prose: Prose, classifier: TierClassifier) -> list[TierPrediction]:
    return classifier.predict([prose.prompt(30) for _ in range(_BANK)])


def _vectors(near: TierPrediction, encoder: str, draw: np.random.Generator) -> dict[str, Any]:
    """Return vectors close to those of a real prompt, and like no others."""
    embedding = near.embedding + draw.normal(0.0, 0.01, near.embedding.shape)
    embedding /= np.linalg.norm(embedding)
    return {
        "encoder": encoder,
        "feature_schema": FEATURE_SCHEMA_VERSION,
        "embedding": embedding.astype("<f4").tobytes(),
        "features": near.features.astype("<f4").tobytes(),
    }


def _run(export: Path, folder: Path, *more: str) -> Ran:
    """Run the command from the beginning, and see what it took."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bundled_models(), folder / "models")
    command = [sys.executable, "-m", "weighbridge", "retrain", "--export", str(export), "--mlflow", "none"]
    command += ["--models", str(folder / "models"), "--work", str(folder / "work"), *more]
    began = time.monotonic()
    with (folder / "said").open("w+") as said:
        child = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=said, text=True
        )
        family = _Family(psutil.Process(child.pid))
        while not os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            family.look()
            time.sleep(_LOOK_S)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        # a candidate that fails the gate has been made all the same
        if child.returncode not in (0, 3):
            raise RuntimeError(
                f"weighbridge retrain ended with {child.returncode}: {said.read().strip()[-500:]}"
            )
    return Ran(time.monotonic() - began, family.processor_s(), _megabytes(used))


class _Family:
    """A process and all that it has started, as often as one looks: nobody waits for Ray's workers."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._seen: dict[psutil.Process, float] = {}

    def look(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in (self._process, *self._process.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    self._seen[one] = times.user + times.system

    def processor_s(self) -> float:
        return sum(self._seen.values())


def _megabytes(used: resource.struct_rusage) -> float:
    # the kernel counts in kilobytes, macOS in bytes
    return used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
