"""What lies beside the graph in an artifact's folder: the report as JSON, text and pictures, and the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from classifier.artifact import REPORT
from training.card import model_card
from training.config import TrainingConfig
from training.curves import Curve, cost_quality_curve
from training.curves import performance_from_labels as performance
from training.dataset import Corpus
from training.evaluation import Folds, as_json, routings
from training.plots import bars, cost_quality, grouped_bars, reliability_diagram
from training.report_text import as_terminal

REPORT_TEXT = "report.txt"
CARD = "MODEL_CARD.md"


def documents(
    corpus: Corpus,
    folds: Folds,
    outcomes: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any],
    encoder: Mapping[str, Any],
    config: TrainingConfig,
) -> dict[str, str]:
    """Return every document by its file name; `outcomes` are the facts of each source of outcome data."""
    return {
        REPORT: as_json(report),
        REPORT_TEXT: as_terminal(report),
        CARD: model_card(corpus, outcomes, report, encoder, config),
        **pictures(report),
        **{
            f"cost-quality-{tier}.svg": cost_quality(curves)
            for tier, curves in _curves(corpus, folds, report, config).items()
        },
    }


def pictures(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of a report as SVG, by file name."""
    heads = {tier: head["reliability"] for tier, head in report["heads"].items()}
    shares = {
        name: {
            **{f"recall {tier}": share for tier, share in found["recall"].items()},
            "under-routed": found["under_routed"],
            "over-routed": found["over_routed"],
        }
        for name, found in report["table"].items()
    }
    return {
        "reliability.svg": reliability_diagram(heads),
        "routing.svg": grouped_bars(shares, "the classifier beside its baselines"),
        "robustness.svg": bars(report["robustness"], "share of prompts that keep their tier"),
        "attacks.svg": bars(
            {"all": report["attacks"]["total"], **report["attacks"]["family"]},
            "share of attacks that succeed",
        ),
    }


def _curves(
    corpus: Corpus, folds: Folds, report: Mapping[str, Any], config: TrainingConfig
) -> dict[str, dict[str, Curve]]:
    """Return, per head, the curve of the classifier and of every baseline that ranks prompts."""
    held_out = np.array([report["held_out"][row.id] for row in corpus.rows])
    needed, ours, others = routings(corpus.rows, held_out, folds, config.tiers, config.threshold, config.seed)
    ranked = {"classifier": ours, **others}
    found: dict[str, dict[str, Curve]] = {}
    for head, tier in enumerate(config.tiers[:-1]):
        weak, strong = performance(needed, head)
        if not weak.all():
            found[tier] = {
                name: cost_quality_curve(one.difficulty[:, head], weak, strong)
                for name, one in ranked.items()
                if not name.startswith("always")
            }
    return found
