"""Heads fitted again on corpus and feedback together, exported, and weighed on what they have not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.features import FEATURE_NAMES
from classifier.tier_classifier import TierClassifier
from training.champion import on_readings
from training.config import TrainingConfig
from training.executor import Executor
from training.export import write_artifact
from training.feedback_rows import FeedbackRows
from training.fit import Head, fit_heads
from training.held_out import Probes, known_paraphrases, probe
from training.parity import SAMPLE_ROWS, prove_heads
from training.pipeline import Material, fitting_rows

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ARTIFACT = "artifact"
_FACTS, _WEIGHED = "facts.json", "weighed.npz"


@dataclass(frozen=True, slots=True)
class Judged:
    """What an artifact without the judging rows of the corpus said of them [J, K], and what moved it."""

    sufficiency: Numbers
    probes: Mapping[str, Any]


def judging_rows(material: Material, folds: int) -> Flags:
    """Return which rows of the corpus judge: one part of so many, the same ones always.

    Told by a digest of the row's group: a champion that was itself retrained was judged on the same.
    """
    return np.array([int(row.group[:8], 16) % folds == 0 for row in material.rows])


def fit_judged(
    folder: Path,
    material: Material,
    judging: Flags,
    feedback: FeedbackRows,
    config: TrainingConfig,
    executor: Executor,
) -> None:
    """Fit without the judging rows, export, and keep what the artifact says of them."""
    heads = _fitted(material, ~judging, feedback, config, executor)
    artifact = _exported(folder, material, heads, config)
    unseen = [row for row, judges in zip(material.rows, judging, strict=True) if judges]
    found = on_readings(artifact, [row.reading for row in unseen])
    probes = Probes()
    probe(probes, artifact, unseen, known_paraphrases(config, material.rows), config)
    np.savez(folder / _WEIGHED, sufficiency=found)
    _write(folder / _FACTS, probes.as_dict(config.seed, config.resamples))


def read_judged(folder: Path) -> Judged:
    """Return what `fit_judged` has kept."""
    with np.load(folder / _WEIGHED) as kept:
        return Judged(kept["sufficiency"], _read(folder / _FACTS))


def fit_whole(
    folder: Path, material: Material, feedback: FeedbackRows, config: TrainingConfig, executor: Executor
) -> None:
    """Fit on every row of the corpus and the feedback, export, prove the graph, and keep what was chosen."""
    heads = _fitted(material, np.ones(len(material.rows), dtype=bool), feedback, config, executor)
    artifact = _exported(folder, material, heads, config)
    step = max(1, len(material.rows) // SAMPLE_ROWS)
    shown = np.zeros(len(material.source_row), dtype=bool)
    shown[: len(material.rows) : step] = True
    sample = material.examples.take(shown)
    readings = [row.reading for row in material.rows[::step]]
    gap = prove_heads(artifact, heads, readings, sample.inputs, sample.tokens)
    tiers = config.tiers[:-1]
    facts = {
        "c": [head.c for head in heads],
        "trees": [head.trees is not None for head in heads],
        "sklearn_gap": float(f"{gap:.1e}"),
        "calibrations": {tier: head.calibration.kind for tier, head in zip(tiers, heads, strict=True)},
        "calibration_losses": {
            tier: head.calibration.losses for tier, head in zip(tiers, heads, strict=True)
        },
    }
    _write(folder / _FACTS, facts)


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what `fit_whole` has kept."""
    return _read(folder / _FACTS)


def _fitted(
    material: Material, chosen: Flags, feedback: FeedbackRows, config: TrainingConfig, executor: Executor
) -> list[Head]:
    examples = fitting_rows(material, chosen, config).and_then(feedback.examples(config.inner_folds))
    return fit_heads(examples, config, examples.inputs.shape[1] - len(FEATURE_NAMES), executor)


def _exported(
    folder: Path, material: Material, heads: Sequence[Head], config: TrainingConfig
) -> TierClassifier:
    facts: dict[str, Any] = {"training": {}, "metrics": {}, "created_by": "weighbridge retrain"}
    return TierClassifier.load(write_artifact(folder / ARTIFACT, material.encoder, heads, config, facts, {}))


def _write(file: Path, found: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(found), encoding="utf-8")


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
