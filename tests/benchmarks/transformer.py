"""An artifact with the transformer encoder, trained on part of the corpus; slow to make, so made once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from classifier.artifact import ArtifactError, load_manifest
from tests.benchmarks.children import environment
from tests.benchmarks.plan import ROOT, Plan, Skipped
from tests.benchmarks.prose import CORPUS

_VERSION = "transformer"
_EVERY_NTH_ROW = 8
_TIMEOUT_S = 240


def artifact(plan: Plan) -> Path:
    """Return the artifact's folder, trained now or by an earlier run; raise Skipped where it cannot be."""
    models = plan.build / "models"
    folder = models / _VERSION
    if _is_usable(folder):
        return folder
    if plan.is_quick:
        raise Skipped("it takes a minute to export; run it once without --quick.")
    if find_spec("sentence_transformers") is None:
        raise Skipped("sentence-transformers is not installed. Install weighbridge[training].")
    config = plan.build / "transformer.toml"
    config.write_text('encoder = "transformer"\n', encoding="utf-8")
    _train(plan, config, models)
    return folder


def _is_usable(folder: Path) -> bool:
    """Tell whether an earlier run left an artifact that this code can load; remove one that it cannot."""
    try:
        load_manifest(folder)
    except ArtifactError:
        shutil.rmtree(folder, ignore_errors=True)
        return False
    return True


def _train(plan: Plan, config: Path, models: Path) -> None:
    options = {
        "config": config,
        "corpus": _sample(plan.build / "corpus"),
        "output": models,
        "version": _VERSION,
    }
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "tests.benchmarks.launch", "asyncio", "train", *given]
    try:
        trained = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env=environment(),
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise Skipped(f"training took longer than {_TIMEOUT_S} s.") from None
    if trained.returncode:
        raise Skipped(f"training ended with {trained.returncode}: {trained.stderr.strip()[-500:]}")


def _sample(folder: Path) -> Path:
    """Write every nth row of the corpus: what the heads learn changes nothing about their speed."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(CORPUS.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()[::_EVERY_NTH_ROW]
        (folder / path.name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder
