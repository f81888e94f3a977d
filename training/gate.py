"""Whether a candidate may be promoted: named checks with their figures, and one verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifier.artifact import ArtifactError, champion_folder, load_manifest
from classifier.verdict_file import Check, Verdict, manifest_sha256
from training.dataset import Row
from training.evaluation import tier_figures

REPORT = "report.json"

_MAX_CALIBRATION_ERROR = 0.08
_MAX_TWO_TIERS_UNDER = 0.05
# What chance alone moves on about a thousand rows.
_MARGIN = 0.02


def judge(
    folder: Path,
    report: Mapping[str, Any],
    rows: Sequence[Row],
    models: Path,
    tiers: Sequence[str],
    threshold: float,
) -> Verdict:
    """Judge the artifact in a folder by its report, and beside the champion on rows that both held out."""
    length = report["table"]["prompt length"]["accuracy"]
    checks = [
        _at_least("accuracy above prompt length alone", report["accuracy"], length),
        _at_most("two tiers too low", report["two_tiers_under"], _MAX_TWO_TIERS_UNDER),
        *(
            _at_most(f"calibration error, is {tier} enough", head["ece"], _MAX_CALIBRATION_ERROR)
            for tier, head in report["heads"].items()
        ),
    ]
    champion = _champion(models, report["version"])
    if champion is None:
        return Verdict(report["version"], manifest_sha256(folder), None, None, tuple(checks))
    checks += _beside(report, champion, rows, tiers, threshold)
    return Verdict(
        report["version"],
        manifest_sha256(folder),
        champion["version"],
        manifest_sha256(champion_folder(models)),
        tuple(checks),
    )


def _champion(models: Path, candidate: str) -> Mapping[str, Any] | None:
    """Return the champion's report; None where there is no other champion to compare with."""
    try:
        folder = champion_folder(models)
        load_manifest(folder)
        found: Mapping[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (ArtifactError, OSError, ValueError):
        return None
    return None if found.get("version") == candidate else found


def _beside(
    report: Mapping[str, Any],
    champion: Mapping[str, Any],
    rows: Sequence[Row],
    tiers: Sequence[str],
    threshold: float,
) -> list[Check]:
    both = [row for row in rows if row.id in champion["held_out"] and row.id in report["held_out"]]
    if not both or champion["tiers"] != list(tiers):
        return []
    ours, theirs = (
        tier_figures(both, np.array([one["held_out"][row.id] for row in both]), tiers, threshold)
        for one in (report, champion)
    )
    return [
        _at_least("accuracy beside the champion", ours["accuracy"], theirs["accuracy"] - _MARGIN),
        _at_most("under-routing beside the champion", ours["under_routed"], theirs["under_routed"] + _MARGIN),
    ]


def _at_least(name: str, candidate: float, bound: float) -> Check:
    return Check(name, candidate >= bound, candidate, round(bound, 4), rule="at least the bound")


def _at_most(name: str, candidate: float, bound: float) -> Check:
    return Check(name, candidate <= bound, candidate, round(bound, 4), rule="at most the bound")
