"""Folders of artifacts to promote and to damage: copies of the shipped champion under other names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from classifier.artifact import MANIFEST, bundled_models, champion_folder
from classifier.verdict_file import Check, Verdict, manifest_sha256, write_verdict

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
    """Write a verdict on an artifact as it is now, passed but for the named checks."""
    checks = [Check(name, passed=False, candidate=2.0, bound=1.0) for name in failed]
    kept = Check("two tiers too low", passed=True, candidate=0.01, bound=0.05)
    there = (models / version / MANIFEST).is_file()
    seal = manifest_sha256(models / version) if there else "none"
    write_verdict(
        models, Verdict(version, seal, CHAMPION, manifest_sha256(models / CHAMPION), (kept, *checks))
    )
