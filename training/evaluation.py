"""How good it is: every row weighed by an exported artifact that has not seen it, beside baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from classifier.tiers import required_tier
from training.dataset import Row

Numbers = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]
_ECE_BINS = 10


def evaluate(
    rows: Sequence[Row], held_out: Numbers, folds: Folds, tiers: Sequence[str], threshold: float
) -> dict[str, Any]:
    """Return the figures of held-out sufficiencies [N, K], whole and by language, kind and trait."""
    needed = np.array([list(tiers).index(row.tier) for row in rows])
    predicted = predicted_places(held_out, tiers, threshold)
    return {
        "rows": len(rows),
        **routing_figures(needed, predicted, tiers),
        "heads": {tier: _head_figures(held_out[:, k], needed <= k) for k, tier in enumerate(tiers[:-1])},
        "baselines": _baselines(rows, needed, folds, tiers),
        "by": {name: _by(rows, needed, predicted, tiers, name) for name in ("language", "kind", "trait")},
    }


def predicted_places(held_out: Numbers, tiers: Sequence[str], threshold: float) -> npt.NDArray[np.int64]:
    """Return the place of the required tier that each sufficiency stands for."""
    return np.array([list(tiers).index(required_tier(row.tolist(), tiers, threshold)) for row in held_out])


def routing_figures(
    needed: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], tiers: Sequence[str]
) -> dict[str, Any]:
    """Return accuracy, recall per tier, and how often a prompt goes lower or higher than it needs.

    >>> routing_figures(np.array([0, 1, 1]), np.array([0, 0, 1]), ["economy", "premium"])["under_routed"]
    0.3333
    """
    return {
        "accuracy": _share(predicted == needed),
        "recall": {tier: _share(predicted[needed == k] == k) for k, tier in enumerate(tiers)},
        "under_routed": _share(predicted < needed),
        "over_routed": _share(predicted > needed),
        "two_tiers_under": _share(predicted < needed - 1),
    }


def calibration_error(probability: Numbers, happened: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error: mean gap between promise and frequency over ten equal bins.

    >>> calibration_error(np.array([0.5, 0.5]), np.array([True, False]))
    0.0
    """
    bins = np.minimum((probability * _ECE_BINS).astype(int), _ECE_BINS - 1)
    gaps = [
        abs(float(probability[bins == one].mean() - happened[bins == one].mean()))
        * float(np.mean(bins == one))
        for one in np.unique(bins)
    ]
    return round(sum(gaps), 4)


def held_out_rows(rows: Sequence[Row], held_out: Numbers) -> dict[str, list[float]]:
    """Return the held-out sufficiencies by row id: what a later artifact is compared with, row for row."""
    return {
        row.id: [round(float(value), 4) for value in found] for row, found in zip(rows, held_out, strict=True)
    }


def as_json(report: Mapping[str, Any]) -> str:
    """Return the report as JSON, with one line for each held-out row.

    >>> json.loads(as_json({"rows": 1, "held_out": {"a": [0.5, 1.0]}}))
    {'rows': 1, 'held_out': {'a': [0.5, 1.0]}}
    """
    figures = {name: found for name, found in report.items() if name != "held_out"}
    rows = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(found)}" for name, found in report["held_out"].items()
    )
    head = json.dumps(figures, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{head},\n "held_out": {{\n{rows}\n }}\n}}\n'


def as_text(report: Mapping[str, Any]) -> str:
    """Return the figures as lines for a person."""
    recall = "  ".join(f"{tier} {share:.0%}" for tier, share in report["recall"].items())
    lines = [
        f"{report['rows']:,} rows, each weighed by an artifact that had not seen it",
        f"  accuracy      {report['accuracy']:.1%}   recall: {recall}",
        f"  under-routed  {report['under_routed']:.1%}   over-routed {report['over_routed']:.1%}",
    ]
    for tier, head in report["heads"].items():
        lines.append(
            f"  is {tier} enough?   AUC {head['auc']:.3f}   Brier {head['brier']:.3f}   ECE {head['ece']:.3f}"
        )
    for name, baseline in report["baselines"].items():
        lines.append(f"  baseline {name}: accuracy {baseline['accuracy']:.1%}")
    return "\n".join(lines)


def _head_figures(probability: Numbers, enough: npt.NDArray[np.bool_]) -> dict[str, float]:
    both = 0 < enough.sum() < len(enough)
    return {
        "brier": round(float(np.mean((probability - enough) ** 2)), 4),
        "ece": calibration_error(probability, enough),
        "auc": round(float(roc_auc_score(enough, probability)), 4) if both else 0.5,
    }


def _baselines(
    rows: Sequence[Row], needed: npt.NDArray[np.int64], folds: Folds, tiers: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return what the commonest tier, and the prompt's length alone, would have done on the same folds."""
    length = np.log1p([[row.reading.request_chars] for row in rows])
    majority, by_length = np.zeros_like(needed), np.zeros_like(needed)
    for fold in np.unique(folds):
        inside, outside = folds != fold, folds == fold
        majority[outside] = np.bincount(needed[inside], minlength=len(tiers)).argmax()
        by_length[outside] = LogisticRegression().fit(length[inside], needed[inside]).predict(length[outside])
    return {
        "majority": routing_figures(needed, majority, tiers),
        "length": routing_figures(needed, by_length, tiers),
    }


def _by(
    rows: Sequence[Row],
    needed: npt.NDArray[np.int64],
    predicted: npt.NDArray[np.int64],
    tiers: Sequence[str],
    name: str,
) -> dict[str, dict[str, Any]]:
    values = [set(row.traits) if name == "trait" else {getattr(row, name)} for row in rows]
    found = {}
    for value in sorted(set().union(*values)):
        inside = np.array([value in has for has in values])
        figures = routing_figures(needed[inside], predicted[inside], tiers)
        kept = ("accuracy", "under_routed", "over_routed")
        found[value] = {"rows": int(inside.sum()), **{key: figures[key] for key in kept}}
    return found


def _share(hits: npt.NDArray[np.bool_]) -> float:
    return round(float(hits.mean()), 4) if len(hits) else 0.0
