"""How an artifact differs from the one that ships: what it was made of, and what its report says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from classifier.artifact import REPORT, ArtifactError, Manifest, champion_folder, load_manifest


def difference(folder: Path, models: Path) -> list[str]:
    """Return lines that say how an artifact differs from the champion of a models folder, if it has one."""
    try:
        shipped_folder = champion_folder(models)
        shipped, made = load_manifest(shipped_folder), load_manifest(folder)
        figures = [_figures(one) for one in (folder, shipped_folder)]
    except (ArtifactError, OSError, ValueError):
        return []
    if shipped.files == made.files:
        return [f"The same as {shipped.version}, which ships."]
    lines = [f"It differs from {shipped.version}, which ships:"]
    for name, of in (("data", _data), ("encoder", _encoder)):
        mine, theirs = of(made), of(shipped)
        if mine != theirs:
            lines.append(f"  {name}: {mine}; {shipped.version}: {theirs}")
    for name in ("accuracy", "under_routed", "over_routed"):
        ours, others = (one.get(name) for one in figures)
        if ours is not None and others is not None and ours != others:
            lines.append(f"  {name.replace('_', '-')}: {ours:.1%}; {shipped.version}: {others:.1%}")
    return lines


def _figures(folder: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    return found


def _data(manifest: Manifest) -> str:
    files = manifest.training.get("data", ())
    sources = [str(one["name"]) for one in files if "licence" in one]
    rows = f"{manifest.training.get('rows', 0):,} rows of the corpus"
    return f"{rows} and {', '.join(sources)}" if sources else f"{rows} alone"


def _encoder(manifest: Manifest) -> str:
    return f"{manifest.encoder_kind}, {manifest.encoder.get('source')}"
