"""A trained classifier as a folder: what it must hold, and why one is refused.

<version>/manifest.json  classifier.onnx  tokenizer.json  (MODEL_CARD.md, report.json)
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.features import FEATURE_NAMES, FEATURE_SCHEMA_VERSION

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
GRAPH = "classifier.onnx"
TOKENIZER = "tokenizer.json"
REPORT = "report.json"
ROLLOUT = "rollout.toml"

_WAY_OUT = "Restore the folder, or train a new artifact with `weighbridge train`."


class ArtifactError(Exception):
    """An artifact that cannot be used; the message says what is wrong, where, and the way out."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` says of an artifact.

    `files` maps each file's name to its SHA-256; `encoder` and `training` are facts for people and tools.
    """

    version: str
    tiers: tuple[str, ...]
    threshold: float
    encoder_kind: str
    files: Mapping[str, str]
    format_version: int
    feature_schema_version: int
    encoder: Mapping[str, Any]
    training: Mapping[str, Any]
    metrics: Mapping[str, Any]
    created_by: str

    @property
    def encoder_id(self) -> str:
        """Return a name for what makes the embeddings: artifacts that share it embed a prompt alike."""
        made_of = json.dumps([self.encoder, self.files.get(TOKENIZER)], sort_keys=True)
        return f"{self.encoder_kind}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


def load_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder whose files are all there and unchanged; raise ArtifactError if not."""
    found = _read_json(folder)
    _check_versions(folder, found)
    manifest = _parse(folder, found)
    for name, expected in manifest.files.items():
        _check_file(folder, name, expected)
    for name in (GRAPH, TOKENIZER):
        if name not in manifest.files:
            raise ArtifactError(f"Artifact {folder} does not list {name} in its manifest. {_WAY_OUT}")
    return manifest


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def bundled_models() -> Path:
    """Return the folder of the artifacts that ship with this package."""
    installed = Path(__file__).parent / "models"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "models"


def champion_folder(models: Path) -> Path:
    """Return the artifact that `rollout.toml` in a models folder names; raise ArtifactError without one."""
    champion = rollout_table(models).get("champion")
    if not isinstance(champion, str) or not champion or Path(champion).name != champion:
        raise ArtifactError(f'{models / ROLLOUT} must name a folder beside it: champion = "<version>".')
    return models / champion


def rollout_table(models: Path) -> dict[str, Any]:
    """Return what `rollout.toml` in a models folder holds; raise ArtifactError where it cannot be read."""
    rollout = models / ROLLOUT
    try:
        return tomllib.loads(rollout.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(
            f"Cannot read {rollout}: {error.strerror}. It must name the artifact that answers: "
            'champion = "<version>".'
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{rollout} is not TOML: {error}.") from error


def _read_json(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(
            f"Artifact {folder} has no readable {MANIFEST}: {error.strerror}. {_WAY_OUT}"
        ) from error
    except ValueError as error:
        raise ArtifactError(f"{file} is damaged: {error}. {_WAY_OUT}") from error
    if not isinstance(found, dict):
        raise ArtifactError(f"{file} is damaged: it is not a JSON object. {_WAY_OUT}")
    return found


def _check_versions(folder: Path, found: Mapping[str, Any]) -> None:
    written = found.get("format_version")
    if written != FORMAT_VERSION:
        newer = isinstance(written, int) and written > FORMAT_VERSION
        way_out = "Update Weighbridge." if newer else _WAY_OUT
        raise ArtifactError(
            f"Artifact {folder} has format version {written!r}, this Weighbridge reads {FORMAT_VERSION}. "
            f"{way_out}"
        )
    schema, width = found.get("feature_schema_version"), found.get("feature_count")
    if schema != FEATURE_SCHEMA_VERSION or width != len(FEATURE_NAMES):
        raise ArtifactError(
            f"Artifact {folder} was trained on feature schema {schema!r} with {width!r} features, this "
            f"Weighbridge has schema {FEATURE_SCHEMA_VERSION} with {len(FEATURE_NAMES)}. {_WAY_OUT}"
        )


def _parse(folder: Path, found: Mapping[str, Any]) -> Manifest:
    try:
        tiers = tuple(str(tier) for tier in found["tiers"])
        manifest = Manifest(
            version=str(found["version"]),
            tiers=tiers,
            threshold=float(found["threshold"]),
            encoder_kind=str(found["encoder"]["kind"]),
            files={str(name): str(digest) for name, digest in found["files"].items()},
            format_version=found["format_version"],
            feature_schema_version=found["feature_schema_version"],
            encoder=found["encoder"],
            training=found["training"],
            metrics=found["metrics"],
            created_by=str(found["created_by"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{folder / MANIFEST} is damaged at {error}. {_WAY_OUT}") from error
    if len(tiers) < 2 or len(set(tiers)) != len(tiers):
        raise ArtifactError(
            f"{folder / MANIFEST} needs two or more different tiers, it has {tiers}. {_WAY_OUT}"
        )
    return manifest


def _check_file(folder: Path, name: str, expected: str) -> None:
    if Path(name).name != name:
        raise ArtifactError(f"{folder / MANIFEST} names a file outside its folder: {name!r}. {_WAY_OUT}")
    try:
        actual = sha256(folder / name)
    except OSError as error:
        raise ArtifactError(f"Artifact {folder} lacks {name}: {error.strerror}. {_WAY_OUT}") from error
    if actual != expected:
        raise ArtifactError(
            f"{folder / name} is damaged: its SHA-256 is {actual[:12]}…, the manifest says {expected[:12]}…. "
            f"{_WAY_OUT}"
        )
