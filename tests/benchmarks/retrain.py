"""`weighbridge retrain` over logs of growing length: the time of the whole command, and its peak memory.

The rows are those of the real export: half of them keep the prompt, half embedding and features. Every one is
graded, which is more than any real log.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

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
_BANK = 2_000


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield seconds, seconds of processor time and peak megabytes for each length of the log."""
    asked = os.environ.get(ROWS_VARIABLE)
    sizes = tuple(int(one) for one in asked.split(",")) if asked else _ROWS[:1] if plan.is_quick else _ROWS
    for rows in sizes:
        export = write_export(plan.build / f"log-{rows}.parquet", _log(rows, plan.build))
        try:
            seconds, processor, megabytes = _run(export, plan.build / "retrain")
        finally:
            export.unlink()
        name = f"{rows:,} graded rows"
        yield Figure("retrain", f"{name}, elapsed", "s", (seconds,))
        yield Figure("retrain", f"{name}, processor", "s", (processor,))
        yield Figure("retrain", f"{name}, peak memory", "MB", (megabytes,), at_most=_MOST_MB)


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


def _run(export: Path, folder: Path) -> tuple[float, float, float]:
    """Return seconds, seconds of processor time and peak megabytes of the command."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bundled_models(), folder / "models")
    command = [sys.executable, "-m", "weighbridge", "retrain", "--export", str(export), "--mlflow", "none"]
    command += ["--models", str(folder / "models"), "--work", str(folder / "work")]
    began = time.monotonic()
    child = subprocess.Popen(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    said = child.stderr.read() if child.stderr else ""
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    # a candidate that fails the gate has been made all the same
    if child.returncode not in (0, 3):
        raise RuntimeError(f"weighbridge retrain ended with {child.returncode}: {said.strip()[-500:]}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, _megabytes(used)


def _megabytes(used: resource.struct_rusage) -> float:
    # the kernel counts in kilobytes, macOS in bytes
    return used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
