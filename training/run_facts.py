"""What the registry is told of an artifact, read from its own folder and from the verdict beside it.

Everything that a registration needs lies on disk, so that one that failed can be made up for later, without
training again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.artifact import REPORT, ArtifactError, Manifest, load_manifest, sha256
from classifier.verdict_file import VerdictError, manifest_sha256, read_verdict, verdict_file

VERSION_TAG = "weighbridge.version"
MANIFEST_TAG = "weighbridge.manifest_sha256"
# What the gate said, which checks failed, and in which file; the last changes with any of it.
VERDICT_TAGS = ("verdict", "verdict.failed", "verdict.sha256")

# What MLflow takes in the name of a parameter or figure.
_STRANGE = re.compile(r"[^\w\-. /:]")
# Hundreds of figures a row or a group: they are read in report.json, not compared in a table of runs.
_IN_THE_REPORT_ONLY = frozenset({"held_out", "by", "table", "against", "candidates", "feature_count"})
_MOST_FIGURES_DEEP = 3


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One artifact as a run: `tags` tell which files it is of, `verdict` is None where nobody judged them."""

    folder: Path
    version: str
    parameters: Mapping[str, str]
    figures: Mapping[str, float]
    tags: Mapping[str, str]
    verdict: Path | None

    @property
    def files(self) -> dict[str, int]:
        """Return the size of each file of the artifact by its name."""
        return {file.name: file.stat().st_size for file in sorted(self.folder.iterdir())}


def run_facts(artifact: Path) -> RunFacts:
    """Return what is known of an artifact; raise ArtifactError where the folder is not whole."""
    manifest = load_manifest(artifact)
    if manifest.version != artifact.name:
        raise ArtifactError(f"{artifact} holds version {manifest.version}: its folder must have that name.")
    report = _report(artifact)
    tags = {VERSION_TAG: manifest.version, MANIFEST_TAG: manifest_sha256(artifact)}
    figures = dict(_figures(report))
    parameters = _parameters(manifest)
    try:
        verdict = read_verdict(artifact.parent, artifact.name)
    except VerdictError:
        tags["verdict"] = "missing"
        return RunFacts(artifact, manifest.version, parameters, figures, tags, None)
    file = verdict_file(artifact.parent, artifact.name)
    said = ("passed" if verdict.passed else "failed", ", ".join(verdict.failed), sha256(file))
    tags |= dict(zip(VERDICT_TAGS, said, strict=True))
    figures |= {_STRANGE.sub("", f"gate/{check.name}"): check.candidate for check in verdict.checks}
    return RunFacts(artifact, manifest.version, parameters, figures, tags, file)


def _report(artifact: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads((artifact / REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _parameters(manifest: Manifest) -> dict[str, str]:
    """Return how the artifact was made; of its data the SHA-256 each, so that another's differs visibly."""
    found = {
        "created_by": manifest.created_by,
        "tiers": ", ".join(manifest.tiers),
        "threshold": str(manifest.threshold),
        **{f"encoder/{name}": str(value) for name, value in manifest.encoder.items()},
        **{name: str(value) for name, value in manifest.training.items() if name != "data"},
    }
    for one in manifest.training.get("data", ()):
        found[f"data/{one.get('name', '')}"] = str(one.get("sha256", ""))
    return {_STRANGE.sub("_", name): value for name, value in found.items()}


def _figures(found: Mapping[str, Any], prefix: str = "", deep: int = 1) -> Iterator[tuple[str, float]]:
    """Yield the figures of a report, `recall/economy` for one within another.

    >>> dict(_figures({"accuracy": 0.7, "recall": {"economy": 1}, "held_out": {"a": 0.1}, "compared": True}))
    {'accuracy': 0.7, 'recall/economy': 1.0}
    """
    for name, value in found.items():
        if name in _IN_THE_REPORT_ONLY or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            yield _STRANGE.sub("", f"{prefix}{name}"), float(value)
        elif isinstance(value, Mapping) and deep < _MOST_FIGURES_DEEP:
            yield from _figures(value, f"{prefix}{name}/", deep + 1)
