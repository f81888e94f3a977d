"""What candidate and champion say of the same rows: those that judge, and every graded prompt of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifier.features import FEATURE_NAMES
from classifier.tier_classifier import TierClassifier
from training.champion import Champion, OnVectors, on_readings
from training.config import TrainingConfig
from training.feedback_rows import FeedbackRows
from training.labeling import graded as known
from training.merge import Merged
from training.off_policy import HeldOut
from training.pipeline import Material

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sides:
    """What both say of the rows that judge, `feedback` being None without any, and of all graded prompts."""

    corpus: HeldOut
    feedback: HeldOut | None
    prompts: HeldOut


def sides_of(
    merged: Merged, judging: Flags, weighed: Numbers, fitted: Path, champion: Champion, config: TrainingConfig
) -> Sides:
    """Ask both artifacts; `weighed` [J, K] is what one without the corpus' judging rows says of them."""
    kind = champion.manifest.encoder_kind
    both = (
        (TierClassifier.load(fitted), OnVectors(fitted, kind)),
        (champion.classifier, OnVectors(champion.folder, kind)),
    )
    unseen, seen = (_feedback_side(rows, both) for rows in (merged.judging, merged.fitted))
    return Sides(
        _corpus_side(merged.material, judging, weighed, champion, config),
        unseen if len(unseen.weights) else None,
        unseen.and_then(seen).unweighted(),
    )


def _corpus_side(
    material: Material, judging: Flags, ours: Numbers, champion: Champion, config: TrainingConfig
) -> HeldOut:
    """Return what both say of the corpus' judging rows, as far as the champion's report has held them out."""
    rows = [row for row, judges in zip(material.rows, judging, strict=True) if judges]
    before = champion.report.get("held_out", {})
    both = np.array([row.id in before for row in rows])
    if not both.any():
        # It has no report: its word on rows that it may have been fitted on, which flatters it.
        both = np.ones(len(rows), dtype=bool)
        theirs = on_readings(champion.classifier, [row.reading for row in rows])
    else:
        theirs = np.array([before[row.id] for row in rows if row.id in before])
    kept = [row for row, taken in zip(rows, both, strict=True) if taken]
    labels = known([row.tier for row in kept], config.tiers)
    return HeldOut(labels.targets, labels.weights, [row.group for row in kept], ours[both], theirs)


def _feedback_side(rows: FeedbackRows, both: Sequence[tuple[TierClassifier, OnVectors]]) -> HeldOut:
    """Return what both say of graded prompts."""
    ours, theirs = (_said(rows, artifact, on_vectors) for artifact, on_vectors in both)
    return HeldOut(rows.labels.targets, rows.labels.weights, rows.groups.tolist(), ours, theirs, rows.asked)


def _said(rows: FeedbackRows, artifact: TierClassifier, on_vectors: OnVectors) -> Numbers:
    with_text = np.array([reading is not None for reading in rows.readings])
    found = np.zeros((len(with_text), len(artifact.tiers)))
    width = rows.inputs.shape[1] - len(FEATURE_NAMES)
    if with_text.any():
        found[with_text] = on_readings(artifact, [one for one in rows.readings if one is not None])
    if not with_text.all():
        found[~with_text] = on_vectors.sufficiency(rows.inputs[~with_text], width)
    return found
