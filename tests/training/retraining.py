"""A small retraining by the real command: its settings, its places, and what lies in a folder afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from classifier.artifact import sha256
from classifier.features import FEATURE_SCHEMA_VERSION
from classifier.tier_classifier import TierPrediction
from tests.artifacts import write_models
from training.config import TrainingConfig
from training.retrain_cli import retrain as command
from training.retrain_config import RetrainConfig

TIERS = ("economy", "standard", "premium")


def vectors_of(prediction: TierPrediction, encoder: str, **changes: Any) -> dict[str, Any]:
    """Return what the log keeps of a prompt where it keeps no text."""
    return {
        "encoder": encoder,
        "feature_schema": FEATURE_SCHEMA_VERSION,
        "embedding": prediction.embedding.astype("<f4").tobytes(),
        "features": prediction.features.astype("<f4").tobytes(),
        **changes,
    }


def config_in(folder: Path, recipe: TrainingConfig, *exports: Path) -> RetrainConfig:
    """Return what to retrain with models and work in a folder, which gets the shipped champion."""
    models = folder / "models"
    if not models.exists():
        write_models(models)
    return RetrainConfig(exports, models, work=folder / "work", training=recipe)


def run_command(config: RetrainConfig, *more: str) -> Result:
    """Run `weighbridge retrain` as a person would, with settings in a file, to the same end as `config`."""
    recipe, usual = config.training, TrainingConfig()
    settings = config.work.with_name("training.toml")
    names = ("folds", "trees", "tree_bins", "dresses", "resamples", "mlflow")
    given = {name: getattr(recipe, name) for name in names if getattr(recipe, name) != getattr(usual, name)}
    settings.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in given.items()))
    places = {"models": config.models, "work": config.work, "corpus": recipe.corpus, "config": settings}
    told = [("export", one) for one in config.exports] + list(places.items())
    return CliRunner().invoke(command, [*(f"--{name}={place}" for name, place in told), *more])


def contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file in a folder."""
    return {
        str(file.relative_to(folder)): sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()
    }
