"""Outcome data as rows for the heads: what many models' scores say of a prompt, in families of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from classifier.artifact import sha256
from classifier.reading import Reading, read
from training.benchmarks import Fingerprints, fingerprints, held_out_name, known_rows
from training.config import ConfigError, TrainingConfig
from training.downloads import fetched
from training.homes import HOMES, has_copies, read_copies, read_home
from training.labeling import Labels
from training.sources import SOURCES, Outcome, Source, SourceError, read_folder, source_named

Numbers = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

# A prompt that even the best tier hardly ever answers says little of what the others would need.
_HOPELESS = 0.05
_HOPELESS_WEIGHT = 0.2
# So many prompts that begin alike for so many characters are a form and its contents.
_LEAST_ROWS, _LEAST_FORM = 20, 200
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
        if source.shares and not known:
            raise SourceError(
                f"{name} may hold prompts of {source.shares}, kept for measurement, which come from the "
                "same place. Name a folder that holds them with --held-out: its rows are left out."
            )
        found = list(read_source(source, config))
        usable = [row for row in found if row.scores or source.everyday]
        refused = refused_rows(usable, known, cleaned=is_cleaned(source, config))
        rows += without_form([row for place, row in enumerate(usable) if place not in refused])
        facts.append(_facts(source, len(usable) - len(refused), refused, config))
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
    folder = config.sources_from
    if folder is None:
        return read_home(source, config.cache)
    if not is_cleaned(source, config) and has_copies(source, folder):
        return read_copies(source, folder, config.cache)
    return read_folder(source, folder)


def is_cleaned(source: Source, config: TrainingConfig) -> bool:
    """Return whether the rows come from the file that the benchmarks' rows were taken out of."""
    folder = config.sources_from
    return folder is not None and bool(source.file) and (folder / source.file).is_file()


def checksums(source: Source, config: TrainingConfig) -> list[str]:
    """Return a line for each file that the rows came from, with its SHA-256 and what it was held to."""
    if is_cleaned(source, config):
        return [f"{source.file}: SHA-256 {source.sha256}, pinned"]
    files, folder = HOMES[source.name].files, config.sources_from
    seen = fetched(files, config.cache) if folder is None else {f.url: sha256(folder / f.name) for f in files}
    return [
        f"{file.name}: SHA-256 {seen[file.url]}, {'pinned' if file.sha256 else 'none is published'}"
        for file in files
    ]


def refused_rows(rows: Sequence[Outcome], known: Fingerprints, *, cleaned: bool) -> dict[int, str]:
    """Return the places of the rows that a benchmark is made of, and of which: by task, and by content.

    A home's tasks that are called after a benchmark are left out whole; in a cleaned file they are its kind
    of task without its rows.
    """
    named = {} if cleaned else {place: held_out_name(row.task) for place, row in enumerate(rows)}
    by_task = {place: title for place, title in named.items() if title}
    return by_task | known_rows([row.prompt for row in rows], known)


def without_form(rows: Sequence[Outcome]) -> list[Outcome]:
    """Return the rows without what all prompts of their task begin with: solved examples, mostly.

    It says nothing of one prompt beside another, and drowns what does. Only whole paragraphs go, and only
    where much is the same.
    """
    by_task: dict[str, list[str]] = {}
    for row in rows:
        by_task.setdefault(_family(row), []).append(row.prompt)
    shared = {}
    for family, prompts in by_task.items():
        end = _common_start(prompts).rfind("\n\n") + 2
        shared[family] = end if len(prompts) >= _LEAST_ROWS and end >= _LEAST_FORM else 0
    return [replace(row, prompt=row.prompt[shared[_family(row)] :]) for row in rows]


def _common_start(prompts: Sequence[str]) -> str:
    """Return what all texts begin with: no more than the first and the last of them in order.

    >>> _common_start(["abc", "abd", "ab"])
    'ab'
    """
    first, last = min(prompts), max(prompts)
    end = next(
        (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), None
    )
    return first[:end]


def _facts(
    source: Source, rows: int, refused: Mapping[int, str], config: TrainingConfig
) -> dict[str, object]:
    """Return what the manifest says of a source; of what came from its home, the checksum of each file."""
    cleaned = is_cleaned(source, config)
    facts: dict[str, object] = {
        "name": source.name,
        "licence": source.licence,
        "sha256": source.sha256 if cleaned else None,
        "rows": rows,
        "matched": cleaned or config.held_out_from is not None,
    }
    if config.sources_from is None:
        facts["fetched"] = fetched(HOMES[source.name].files, config.cache)
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
    for place, tier in enumerate(tiers[:-1]):
        found = known[tier]
        if found:
            least = max(least, sum(score >= best - margin for score in found) / len(found))
        # Whether a tier is enough shows beside a dearer one only.
        compared = any(known[dearer] for dearer in tiers[place + 1 :])
        shares.append(least if compared and (found or least) else float("nan"))
    return shares, best
