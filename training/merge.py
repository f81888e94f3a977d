"""Feedback and corpus together: what is fitted on, what judges, what either weighs, or why it is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.drift import beyond
from training.embedded import packed
from training.executor import Executor
from training.feedback import Graded, answers, graded
from training.feedback_rows import FeedbackRows, Sides, load_rows, sides
from training.influence import effective_rows
from training.pipeline import Material
from training.retrain_config import RetrainConfig

# A report names so many keys; the others are counted.
_KEYS_TOLD = 20


class RetrainRefused(RuntimeError):
    """The data do not allow a retraining; the message says why, and what would. Nothing has been changed."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The corpus as material, and the graded rows on either side; `report` says what weighs what."""

    material: Material
    fitted: FeedbackRows
    judging: FeedbackRows
    report: dict[str, Any]


def merge(
    exports: Sequence[Path],
    material: Material,
    encoder_id: str,
    tiers: Sequence[str],
    config: RetrainConfig,
    executor: Executor,
) -> Merged:
    """Label the exports and put them beside the corpus; raise RetrainRefused where they teach nothing."""
    own = material.examples.families == 0
    base_weight = float(material.examples.labels.weights[own].sum())
    labelled = graded(exports, tiers, config.feedback, encoder_id)
    chosen = sides(labelled, config.held_out_share, config.max_feedback_rows, config.max_judging_rows)
    _check_labels(labelled, chosen, config)
    used = chosen.fitted | chosen.judging
    counts_tokens = material.examples.tokens is not None
    rows = load_rows(exports, labelled, used, packed(material.encoder), counts_tokens, executor)
    chosen, rows = _without_known(chosen, rows, material)
    _check_labels(labelled, chosen, config)
    used = chosen.fitted | chosen.judging
    drift = beyond(rows, material)
    _check_drift(drift, config)
    # Only what is used counts, in rows of feedback: of a key with a million rows most are left out.
    labels, keys = labelled.weighed(chosen.fitted, config.feedback, base_weight / config.feedback_weight)
    fitted = replace(rows.take(chosen.fitted[used]), labels=labels.times(config.feedback_weight))
    judging = replace(
        rows.take(chosen.judging[used]), labels=labelled.weighed(chosen.judging, config.feedback)[0]
    )
    base = len(material.rows), base_weight
    report = _report(labelled, chosen, fitted, judging, base)
    report["feedback"] |= {
        "answers": answers(labels, tiers),
        "key_share": config.feedback.key_share,
        "keys": keys[:_KEYS_TOLD],
        "other_keys": len(keys[_KEYS_TOLD:]),
    }
    return Merged(material, fitted, judging, report | {"drift": drift})


def _without_known(chosen: Sides, rows: FeedbackRows, material: Material) -> tuple[Sides, FeedbackRows]:
    """Leave out what stands in the corpus word for word: it would judge what was learned by heart."""
    known = {one.tobytes() for one in material.examples.inputs[: len(material.rows)]}
    new = np.array([one.tobytes() not in known for one in rows.inputs], dtype=bool)
    if new.all():
        return chosen, rows
    left = np.flatnonzero(chosen.fitted | chosen.judging)[~new]
    fitted, judging = chosen.fitted.copy(), chosen.judging.copy()
    fitted[left] = judging[left] = False
    left_out = chosen.left_out | {"stand in the corpus word for word": len(left)}
    return Sides(fitted, judging, left_out), rows.take(new)


def _check_labels(labelled: Graded, chosen: Sides, config: RetrainConfig) -> None:
    _check_enough(labelled, chosen, config)
    _check_classes(labelled, chosen)


def _check_enough(labelled: Graded, chosen: Sides, config: RetrainConfig) -> None:
    found = len(np.unique(labelled.groups[chosen.fitted]))
    if found >= config.least_groups:
        return
    report = labelled.report
    counts = {**report["left_out"], **chosen.left_out}
    left_out = "; ".join(f"{count:,} {name}" for name, count in counts.items())
    raise RetrainRefused(
        f"Too little data: {found} graded conversations to fit on, at least {config.least_groups} are "
        f"needed. Of {report['decisions']:,} logged decisions {report['graded']:,} were graded so that they "
        f"answer a question (left out: {left_out or 'none'}). Wait for more, or take a longer --since."
    )


def _check_classes(labelled: Graded, chosen: Sides) -> None:
    answers = labelled.labels.targets[chosen.fitted]
    said = answers[~np.isnan(answers)]
    if said.min() < 0.5 < said.max():
        return
    only = "not good enough" if said.max() <= 0.5 else "good enough"
    raise RetrainRefused(
        f"One class only: every graded answer says {only}, so there is nothing to tell apart. Wait for "
        "others, or turn exploration on (policy.exploration_share), which asks a tier up and down too."
    )


def _check_drift(drift: Mapping[str, float | None], config: RetrainConfig) -> None:
    unknown, far = drift["unknown_tokens"], drift["far_embeddings"]
    way_out = "They would teach nothing. Train an artifact with an encoder for such text: --encoder-source."
    if unknown is not None and unknown > config.most_unknown:
        raise RetrainRefused(
            f"The logged prompts have drifted beyond the encoder's vocabulary: {unknown:.1%} of their tokens "
            f"are unknown to it ({drift['unknown_tokens_corpus']:.1%} in the corpus, at most "
            f"{config.most_unknown:.0%} may be). {way_out}"
        )
    if far is not None and far > config.most_far:
        raise RetrainRefused(
            f"The logged embeddings have drifted away: {far:.1%} lie farther from the corpus than 99 % of it "
            f"from the rest, at most {config.most_far:.0%} may. {way_out}"
        )


def _report(
    labelled: Graded, chosen: Sides, fitted: FeedbackRows, judging: FeedbackRows, base: tuple[int, float]
) -> dict[str, Any]:
    rows, base_weight = base
    weights = fitted.labels.weights
    return {
        "feedback": labelled.report,
        "sides": {
            side: {"rows": len(one.groups), "groups": len(np.unique(one.groups))}
            for side, one in (("fitted", fitted), ("judging", judging))
        }
        | {"left_out": chosen.left_out},
        "weights": {
            "corpus_rows": rows,
            "corpus": round(base_weight, 1),
            "feedback": round(float(weights.sum()), 1),
            "feedback_share": round(float(weights.sum()) / (float(weights.sum()) + base_weight), 4),
            "feedback_effective_rows": effective_rows(weights),
        },
    }
