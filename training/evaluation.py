"""How good it is: every row weighed by an exported artifact that has not seen it, beside baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.baselines import Routing, baselines, compare, figures, routing
from training.curves import Places
from training.dataset import Row
from training.groups import accuracies_beside, by_group
from training.intervals import ROUNDS

Numbers = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]


def evaluate(
    rows: Sequence[Row],
    held_out: Numbers,
    folds: Folds,
    tiers: Sequence[str],
    threshold: float,
    seed: int = 7,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Return the figures of held-out sufficiencies [N, K]: beside every baseline, with intervals, by part.

    The classifier's own stand at the top; "table", "intervals", "against" are those of `baselines.compare`.
    """
    needed, ours, others = routings(rows, held_out, folds, tiers, threshold, seed)
    groups = [row.group for row in rows]
    found = compare(needed, ours, others, tiers, groups, seed, rounds)
    parts = {name: _values(rows, name) for name in ("language", "domain", "kind", "trait")}
    by = {name: by_group(needed, ours, tiers, values) for name, values in parts.items()}
    languages = [row.language for row in rows]
    for name, more in accuracies_beside(needed, ours, others, languages, groups, seed, rounds).items():
        by["language"][name] |= more
    return {
        **found,
        **found["table"]["classifier"],
        "two_tiers_under": round(float(np.mean(ours.places < needed - 1)), 4),
        "by": by,
    }


def routings(
    rows: Sequence[Row], held_out: Numbers, folds: Folds, tiers: Sequence[str], threshold: float, seed: int
) -> tuple[Places, Routing, dict[str, Routing]]:
    """Return the places of the required tiers [N], the classifier's routing, and every baseline's by name."""
    needed = np.array([list(tiers).index(row.tier) for row in rows])
    length = np.array([float(row.reading.request_chars) for row in rows])
    others = baselines(needed, length, [row.kind for row in rows], folds, tiers, threshold, seed)
    return needed, routing(held_out, tiers, threshold), others


def tier_figures(
    rows: Sequence[Row], held_out: Numbers, tiers: Sequence[str], threshold: float
) -> dict[str, Any]:
    """Return accuracy, recall, routing and head figures of some rows' sufficiencies, without any baseline."""
    needed = np.array([list(tiers).index(row.tier) for row in rows])
    return figures(needed, routing(held_out, tiers, threshold), tiers)


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


def _values(rows: Sequence[Row], name: str) -> list[set[str]]:
    return [set(row.traits) if name == "trait" else {getattr(row, name)} for row in rows]
