"""Outcome data as rows for the heads: what many models' scores say of a prompt, in families of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from classifier.reading import Reading, read
from training.benchmarks import fingerprints, known_rows
from training.config import ConfigError, TrainingConfig
from training.homes import read_home
from training.labeling import Labels
from training.sources import SOURCES, Outcome, Source, read_folder, source_named

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

# A prompt that even the best tier hardly ever answers says little of what the others would need.
_HOPELESS = 0.05
_HOPELESS_WEIGHT = 0.2
# Thousands of one-line requests that any tier answers must not drown the corpus.
_EVERYDAY_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Rows of outcome data: a family per task from 1 up, a fold each, and the names of the families.

    `scores` are what each model reached on each row; empty where any model will do.
    """

    readings: tuple[Reading, ...]
    scores: tuple[Mapping[str, float], ...]
    labels: Labels
    families: Places
    folds: Places
    names: tuple[str, ...]
    facts: tuple[Mapping[str, object], ...]


def load_outcomes(config: TrainingConfig) -> Outcomes:
    """Return the rows of every source that the config names; none of it without sources."""
    rows: list[Outcome] = []
    facts = []
    known = fingerprints(config.held_out_from) if config.sources and config.held_out_from else {}
    for name in config.sources:
        source = source_named(name, training=True)
        found = list(read_source(source, config))
        usable = [row for row in found if row.scores or source.everyday]
        refused = known_rows([row.prompt for row in usable], known)
        rows += [row for place, row in enumerate(usable) if place not in refused]
        facts.append(
            _facts(source, len(usable) - len(refused), refused, pinned=config.sources_from is not None)
        )
    names = sorted({_family(row) for row in rows} - {""})
    families = np.array(
        [1 + names.index(_family(row)) if _family(row) else 0 for row in rows], dtype=np.int64
    )
    labels = labels_from_scores(rows, config)
    return Outcomes(
        readings=tuple(read(row.prompt) for row in rows),
        scores=tuple(row.scores for row in rows),
        labels=Labels(labels.targets, labels.weights * config.outcome_weight),
        families=families,
        folds=np.random.default_rng(config.seed).integers(0, config.folds, len(rows)),
        names=tuple(names),
        facts=tuple(facts),
    )


def read_source(source: Source, config: TrainingConfig) -> Iterator[Outcome]:
    """Yield the rows of a source from the folder of the config, or else from its public home."""
    if config.sources_from is None:
        return read_home(source, config.cache)
    return read_folder(source, config.sources_from)


def _facts(source: Source, rows: int, refused: Mapping[int, str], *, pinned: bool) -> dict[str, object]:
    """Return what the manifest says of a source; what was fetched from its home has no checksum."""
    facts: dict[str, object] = {
        "name": source.name,
        "licence": source.licence,
        "sha256": source.sha256 if pinned else None,
        "rows": rows,
    }
    if refused:
        facts["held_out"] = dict(sorted(Counter(refused.values()).items()))
    return facts


def _family(row: Outcome) -> str:
    """Return the family a row is ordered in; rows that any tier answers mean what the corpus means by it."""
    return "" if SOURCES[row.source].everyday else f"{row.source}/{row.task}"


def labels_from_scores(rows: Sequence[Outcome], config: TrainingConfig) -> Labels:
    """Return partial ordinal labels [N, K-1] with a weight each.

    Tier k is enough to the degree that its models do no worse than the best tier's mean, less the margin; a
    dearer tier is enough wherever a cheaper one is. A question whose tier no model answered is NaN. Raises
    ConfigError for a source whose table of tiers is missing or speaks of what is not there.
    """
    _prove_tables(rows, config)
    targets = np.full((len(rows), len(config.tiers) - 1), np.nan)
    weights = np.ones(len(rows))
    for place, row in enumerate(rows):
        if SOURCES[row.source].everyday:
            targets[place], weights[place] = 1.0, _EVERYDAY_WEIGHT
            continue
        table = config.outcome_tiers[row.source]
        targets[place], best = _enough(row.scores, table, config.tiers, config.outcome_margin)
        weights[place] = _HOPELESS_WEIGHT if best < _HOPELESS else 1.0
    return Labels(targets, weights)


def _prove_tables(rows: Sequence[Outcome], config: TrainingConfig) -> None:
    scored: dict[str, set[str]] = {}
    for row in rows:
        if not SOURCES[row.source].everyday:
            scored.setdefault(row.source, set()).update(row.scores)
    for source, models in scored.items():
        table = config.outcome_tiers.get(source)
        if table is None:
            raise ConfigError(
                f"outcome_tiers has no table for the source {source!r}. "
                "Say which models belong to which tier."
            )
        if set(table) != set(config.tiers) or not all(table.values()):
            raise ConfigError(
                f"outcome_tiers.{source}: needs a model or more for each of {', '.join(config.tiers)}, "
                f"and has {', '.join(tier for tier, names in table.items() if names)}."
            )
        unknown = sorted({name for names in table.values() for name in names} - models)
        if unknown:
            raise ConfigError(
                f"outcome_tiers.{source}: no row has a score of {unknown[0]!r}. "
                f"Scored: {', '.join(sorted(models))}."
            )


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
