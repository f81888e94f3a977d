"""Folders of artifacts to promote and to damage: copies of the shipped champion under other names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from classifier.artifact import bundled_models, champion_folder

CHAMPION = champion_folder(bundled_models()).name


def write_models(folder: Path, *more: str) -> Path:
    """Copy the shipped champion with its `rollout.toml`, and once more under each other version."""
    folder.mkdir(parents=True)
    shutil.copytree(champion_folder(bundled_models()), folder / CHAMPION)
    shutil.copy(bundled_models() / "rollout.toml", folder)
    for version in more:
        add_artifact(folder, version)
    return folder


def add_artifact(models: Path, version: str, **changes: object) -> Path:
    """Add a copy of the champion whose manifest has another version, and other values where given."""
    shutil.copytree(models / CHAMPION, models / version)
    manifest = models / version / "manifest.json"
    content = json.loads(manifest.read_text()) | {"version": version} | changes
    manifest.write_text(json.dumps(content))
    return models / version


def damage(artifact: Path) -> None:
    """Change one byte in the middle of an artifact's graph."""
    graph = artifact / "classifier.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 0xFF
    graph.write_bytes(bytes(content))


def pass_verdict(models: Path, version: str, *failed: str) -> None:
    """Write a verdict, passed but for the named checks."""
    checks = [{"name": name, "candidate": 0.0, "bound": 1.0, "passed": False} for name in failed]
    verdict = {"passed": not failed, "champion": CHAMPION, "checks": checks}
    (models / f"{version}.verdict.json").write_text(json.dumps(verdict))
