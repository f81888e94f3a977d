"""Every label is given twice, the second time blind: what was said, what was resolved, how far both agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from classifier.artifact import sha256

LABELS = "labels.jsonl"
RESOLVED = "resolved.jsonl"


class CorpusError(ValueError):
    """A corpus that cannot be trained on; the message names file and line, and the way out."""


@dataclass(frozen=True, slots=True)
class SecondLabels:
    """The second tier by row id, the tier that holds where the two differ, and the files' facts."""

    tiers: Mapping[str, str]
    resolved: Mapping[str, str]
    files: tuple[Mapping[str, Any], ...] = ()


def read_second_labels(folder: Path, ids: Sequence[str], tiers: Sequence[str]) -> SecondLabels:
    """Return the second labels of a corpus, none where the folder is not there; raise CorpusError.

    Labels of rows that the corpus does not hold are left out, so that a part of a corpus can be trained on.
    """
    if not folder.is_dir():
        return SecondLabels({}, {})
    wanted = set(ids)
    found = {
        name: {row["id"]: row["tier"] for row in _rows(folder / name, tiers) if row["id"] in wanted}
        for name in (LABELS, RESOLVED)
    }
    files = tuple(
        {"name": f"{folder.name}/{name}", "sha256": sha256(folder / name), "rows": len(rows)}
        for name, rows in found.items()
    )
    return SecondLabels(found[LABELS], found[RESOLVED], files)


def agreement(pairs: Sequence[tuple[str, str]], tiers: Sequence[str]) -> dict[str, Any]:
    """Return how far two labels of the same rows agree: share, Cohen's kappa, and both per tier.

    Cohen, "A coefficient of agreement for nominal scales", 1960; per tier as that tier against all others.

    >>> agreement([("a", "a"), ("a", "a"), ("b", "b"), ("b", "a")], ["a", "b"])["kappa"]
    0.5
    """
    first = np.array([one for one, _ in pairs])
    second = np.array([other for _, other in pairs])
    return {
        "rows": len(pairs),
        "agree": round(float(np.mean(first == second)), 4),
        "kappa": _kappa(first, second),
        "kappa_by_tier": {tier: _kappa(first == tier, second == tier) for tier in tiers},
    }


def _kappa(first: Any, second: Any) -> float | None:
    """Return Cohen's kappa, or None where both always say the same one thing."""
    if len({*first.tolist(), *second.tolist()}) < 2:
        return None
    return round(float(cohen_kappa_score(first, second)), 4)


def _rows(file: Path, tiers: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            known = isinstance(row["id"], str) and row["tier"] in tiers
        except (ValueError, TypeError, KeyError) as error:
            raise CorpusError(f"{file.name}, line {number}: needs an id and a tier ({error}).") from error
        if not known:
            raise CorpusError(
                f"{file.name}, line {number}: tier {row['tier']!r} is none of {', '.join(tiers)}."
            )
        yield row
