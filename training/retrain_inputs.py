"""All that a retraining depends on, found before it begins: files, recipe, and one key for all of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from classifier.artifact import sha256
from classifier.rollout_file import is_version
from classifier.verdict_file import manifest_sha256
from training.champion import Champion
from training.config import ConfigError, TrainingConfig
from training.decision_log import ExportError
from training.retrain_config import RetrainConfig

# Raise it when the same inputs give another artifact.
_RECIPE = 4
_KEY_LETTERS = 8
_RETRAINED = re.compile(rf"-[0-9a-f]{{{_KEY_LETTERS}}}$")
# Where things lie changes nothing of what is made of them.
_PLACES = frozenset(
    {
        *("exports", "models", "work", "mlflow", "corpus", "output", "cache", "sources_from"),
        *("executor", "ray_address", "workers"),
    }
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The exports' files with their digests, the recipe of this run, its key, and the candidate's version."""

    exports: tuple[Path, ...]
    digests: tuple[str, ...]
    training: TrainingConfig
    key: str
    version: str

    @property
    def created_by(self) -> str:
        """Return the command that makes this candidate again of the same files."""
        return f"weighbridge retrain --export FILE --version {self.version} --seed {self.training.seed}"


def inputs_of(config: RetrainConfig, champion: Champion) -> Inputs:
    """Read what identifies every input; raise ConfigError or ExportError where one is missing."""
    exports = _files(config.exports)
    digests = tuple(sha256(file) for file in exports)
    manifest = champion.manifest
    recipe = replace(
        config.training,
        version=config.version or "none",
        tiers=manifest.tiers,
        threshold=manifest.threshold,
        encoder=manifest.encoder_kind,
        regularisation=_strictness(manifest.training, config.training),
    )
    corpus = [sha256(file) for file in sorted(recipe.corpus.rglob("*.jsonl"))]
    settings = {"retrain": _settings(config), "training": _settings(recipe)}
    about = [_RECIPE, list(digests), manifest_sha256(champion.folder), corpus, settings]
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    version = config.version or f"{_RETRAINED.sub('', manifest.version)}-{key[:_KEY_LETTERS]}"
    if not is_version(version):
        raise ConfigError(f"version: {version!r} is not a folder name. Take something like 2026.12.1.")
    if version == manifest.version:
        raise ConfigError(f"version: {version!r} is the champion's. Give the candidate a name of its own.")
    return Inputs(exports, digests, replace(recipe, version=version), key, version)


def _files(exports: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files of exports, those of a folder in the order of their names."""
    found: list[Path] = []
    for export in exports:
        inside = sorted(export.glob("*.parquet")) if export.is_dir() else [export]
        if not inside:
            raise ExportError(f"{export} holds no .parquet file. Name a file, or a folder of Parquet.")
        found += inside
    if not found:
        raise ConfigError("There is no export to learn from. Name one with --export.")
    for file in found:
        if not file.is_file():
            raise ExportError(f"{file} cannot be read: there is no such file.")
    return tuple(found)


def _strictness(training: Mapping[str, Any], config: TrainingConfig) -> tuple[float, ...]:
    """Return the values of C that the champion's heads have, those of the config where it does not say."""
    found = sorted({float(c) for c in training.get("c", ())})
    return tuple(found) or config.regularisation


def _settings(config: Any) -> dict[str, Any]:
    found = {name: value for name, value in asdict(config).items() if name not in _PLACES | {"training"}}
    return json.loads(json.dumps(found, default=str))  # type: ignore[no-any-return]
