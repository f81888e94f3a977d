"""What the arms are retrained on: the service's own export, or the same with other labels in its place.

An arm differs from the loop in the file that it hands to the same command, and in nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def with_full_labels(row: Row, enough: Sequence[bool] | None, tiers: Sequence[str]) -> Iterator[Row]:
    """Yield a decision once per tier, each graded by what all tiers scored; as it is where that is unknown.

    `enough` says of each tier but the last whether it is. No thumb is wrong, none is missing, and no tier was
    more probable than another.
    """
    if enough is None:
        yield row
        return
    for tier, good in zip(tiers, enough, strict=False):
        yield _answered_by(row, tier, "up" if good else "down") | {"propensity": 1.0}


def with_negatives(row: Row, tiers: Sequence[str]) -> Iterator[Row]:
    """Yield a decision as it came and, where it was graded, a bad grade for each tier that did not answer."""
    yield row
    if row["feedback"]:
        answered = (row["outcome"] or row)["tier"]
        yield from (_answered_by(row, tier, "down") for tier in tiers if tier != answered)


def write_export(
    came: Path, file: Path, arm: str, enough: Mapping[str, Sequence[bool]], tiers: Sequence[str]
) -> Path:
    """Write the export that an arm learns from; `enough` knows the answered decisions by their ids."""
    with came.open(encoding="utf-8") as lines, file.open("w", encoding="utf-8") as out:
        for row in map(json.loads, lines):
            out.writelines(json.dumps(one) + "\n" for one in _rows(row, arm, enough, tiers))
    return file


def _rows(row: Row, arm: str, enough: Mapping[str, Sequence[bool]], tiers: Sequence[str]) -> Iterable[Row]:
    if arm == "full":
        return with_full_labels(row, enough.get(row["decision_id"]), tiers)
    return with_negatives(row, tiers) if arm == "naive" else (row,)


def _answered_by(row: Row, tier: str, thumb: str) -> Row:
    """Return a decision as if this tier had answered it, and a person had said so much of it."""
    opinion = {
        "feedback_id": f"{row['decision_id']}-{tier}",
        "created_at": row["created_at"],
        "source": "human",
        "weight": 1.0,
        "score": None,
        "thumb": thumb,
        "label": None,
        "comparison": None,
        "comment": None,
        "holds": True,
    }
    outcome = None if row["outcome"] is None else row["outcome"] | {"tier": tier, "deployment": tier}
    return row | {
        "decision_id": f"{row['decision_id']}-{tier}",
        "tier": tier,
        "deployment": tier,
        "outcome": outcome,
        "feedback": [opinion],
    }
