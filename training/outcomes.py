"""Outcome data as rows for the heads: what many models' scores say of a prompt, in families of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifier.reading import Reading, read
from training.config import ConfigError, TrainingConfig
from training.labeling import Labels
from training.sources import SOURCES, Outcome, read_folder, source_named

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

# A prompt that even the best tier hardly ever answers says little of what the others would need.
_HOPELESS = 0.05
_HOPELESS_WEIGHT = 0.2
# Thousands of one-line requests that any tier answers must not drown the corpus.
_EVERYDAY_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Rows of outcome data: a family per task from 1 up, a fold each, and the names of the families."""

    readings: tuple[Reading, ...]
    labels: Labels
    families: Places
    folds: Places
    names: tuple[str, ...]
    facts: tuple[Mapping[str, object], ...]


def load_outcomes(config: TrainingConfig) -> Outcomes:
    """Return the rows of every source that the config names; none of it without sources."""
    rows: list[Outcome] = []
    facts = []
    for name in config.sources:
        source = source_named(name, training=True)
        if config.sources_from is None:
            raise ConfigError(f"sources: {name} needs the folder that holds it. Name it with --from.")
        found = list(read_folder(source, config.sources_from))
        usable = [row for row in found if row.scores or source.everyday]
        rows += usable
        facts.append({"name": name, "licence": source.licence, "sha256": source.sha256, "rows": len(usable)})
    names = sorted({_family(row) for row in rows} - {""})
    families = np.array(
        [1 + names.index(_family(row)) if _family(row) else 0 for row in rows], dtype=np.int64
    )
    labels = labels_from_scores(rows, config)
    return Outcomes(
        readings=tuple(read(row.prompt) for row in rows),
        labels=Labels(labels.targets, labels.weights * config.outcome_weight),
        families=families,
        folds=np.random.default_rng(config.seed).integers(0, config.folds, len(rows)),
        names=tuple(names),
        facts=tuple(facts),
    )


def _family(row: Outcome) -> str:
    """Return the family a row is ordered in; rows that any tier answers mean what the corpus means by it."""
    return "" if SOURCES[row.source].everyday else f"{row.source}/{row.task}"


def labels_from_scores(rows: Sequence[Outcome], config: TrainingConfig) -> Labels:
    """Return partial ordinal labels [N, K-1] with a weight each.

    Tier k is enough to the degree that its models do no worse than the best tier's mean, less the margin; a
    dearer tier is enough wherever a cheaper one is. A question whose tier no model answered is NaN. Raises
    ConfigError for a source without a table of tiers.
    """
    targets = np.full((len(rows), len(config.tiers) - 1), np.nan)
    weights = np.ones(len(rows))
    for place, row in enumerate(rows):
        if SOURCES[row.source].everyday:
            targets[place], weights[place] = 1.0, _EVERYDAY_WEIGHT
            continue
        table = config.outcome_tiers.get(row.source)
        if table is None:
            raise ConfigError(
                f"outcome_tiers has no table for the source {row.source!r}. "
                "Say which models belong to which tier."
            )
        targets[place], best = _enough(row.scores, table, config.tiers, config.outcome_margin)
        weights[place] = _HOPELESS_WEIGHT if best < _HOPELESS else 1.0
    return Labels(targets, weights)


def _enough(
    scores: Mapping[str, float], table: Mapping[str, Sequence[str]], tiers: Sequence[str], margin: float
) -> tuple[list[float], float]:
    """Return how far each tier but the last is enough, and the best tier's mean score.

    >>> table = {"economy": ["a", "b"], "standard": ["c"], "premium": ["d"]}
    >>> _enough({"a": 1.0, "b": 0.0, "c": 0.0, "d": 1.0}, table, ("economy", "standard", "premium"), 0.1)
    ([0.5, 0.5], 1.0)
    """
    known = {tier: [scores[model] for model in table.get(tier, ()) if model in scores] for tier in tiers}
    best = max((sum(found) / len(found) for found in known.values() if found), default=0.0)
    shares: list[float] = []
    least = 0.0
    for tier in tiers[:-1]:
        found = known[tier]
        if found:
            least = max(least, sum(score >= best - margin for score in found) / len(found))
        shares.append(least if found or least else float("nan"))
    return shares, best
