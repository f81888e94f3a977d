"""Does what was learned hold elsewhere? Area recovered on public outcome data, by task and by source.

Rankings of one task's prompts beside each other: by the corpus alone; by everything but this source ("source
out"); by the corpus and the source's other tasks ("left out"); by the task's other folds too ("in domain");
by the task's other folds alone ("own labels"); by prompt length; by the gain of each task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.areas import areas
from training.config import TrainingConfig
from training.curves import Numbers, Places
from training.curves import performance_from_labels as performance
from training.fit import Examples, fit_order
from training.groups import Predict, left_out
from training.in_domain import by_own_labels, task_table
from training.labeling import Labels
from training.outcome_pairs import OUTCOME_FAMILIES, pairs_of

Flags = npt.NDArray[np.bool_]
_C = 6.0
# What the others are measured against, ranking for ranking.
_BASELINES = ("length", "task_table")
CORPUS = "the corpus"


@dataclass(frozen=True, slots=True)
class OutcomeRows:
    """Rows among the examples: their places, their task each, and the scores of two models by pair.

    `every` are the places of all rows of the source, those too that not all of the models answered.
    """

    places: Places
    every: Places
    tasks: Sequence[str]
    pairs: Mapping[str, tuple[Numbers, Numbers]]
    length: Numbers


@dataclass(frozen=True, slots=True)
class Transfer:
    """What there is to measure: examples of which the first `own` are the corpus, and rows by source."""

    examples: Examples
    own: int
    found: Mapping[str, OutcomeRows]
    config: TrainingConfig
    embedded: int

    def difficulty(self, chosen: Flags) -> Numbers:
        """Return how far every example is from "the cheapest tier is enough", after fitting on those chosen.

        Outcome rows count fully here, whatever their weight in training.
        """
        weights = self.examples.labels.weights.copy()
        weights[self.own :] = 1.0
        even = replace(self.examples, labels=Labels(self.examples.labels.targets, weights))
        return -fit_order(even.take(chosen), 0, _C, self.config, self.embedded).scores(even)

    @property
    def corpus(self) -> Flags:
        """Return which examples are the corpus."""
        return np.arange(len(self.examples.inputs)) < self.own

    def without(self, rows: OutcomeRows) -> Numbers:
        """Return the difficulty of a source's rows by all but it; NaN where the rest teaches nothing."""
        chosen = np.ones(len(self.examples.inputs), dtype=bool)
        chosen[rows.every] = False
        answers = self.examples.labels.targets[chosen, 0]
        if not (np.any(answers > 0.0) and np.any(answers < 1.0)):
            return np.full(len(rows.places), np.nan)
        return self.difficulty(chosen)[rows.places]


def without_each(made: Transfer) -> dict[str, Numbers]:
    """Return the difficulty of each source's rows by all but that source."""
    return {source: made.without(rows) for source, rows in made.found.items()}


def transfer(made: Transfer, without: Mapping[str, Numbers]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {source and pair: {task: areas with intervals}}, after the tasks families of them, and "all".

    Where tasks stand together, rankings that were fitted anew for each of them say nothing.
    """
    by_corpus = made.difficulty(made.corpus)
    result = {}
    for source, rows in made.found.items():
        rankings = {
            **left_out(_fit(made, rows), rows.tasks, made.examples.folds[rows.places]),
            "source_out": without[source],
            "corpus": by_corpus[rows.places],
            "length": rows.length,
        }
        names = np.array(rows.tasks, dtype=object)
        parts = {task: names == task for task in sorted(set(rows.tasks))}
        together = {
            family: np.isin(names, tasks)
            for family, tasks in OUTCOME_FAMILIES.get(source, {}).items()
            if set(tasks) <= parts.keys()
        } | {"all": np.ones(len(names), dtype=bool)}
        alone = {family: _without(made, rows, inside) for family, inside in together.items()}
        for pair in rows.pairs:
            found = {part: _part(made, rows, pair, inside, rankings) for part, inside in parts.items()}
            for family, inside in together.items():
                unknown = np.full(len(names), np.nan)
                apart = {**rankings, "in_domain": unknown, "left_out": alone[family]}
                found[family] = _part(made, rows, pair, inside, apart)
            result[f"{source}, {pair}"] = found
    return result


def _fit(made: Transfer, rows: OutcomeRows) -> Callable[[Places], Predict]:
    """Return what fits on the corpus and some of a source's rows, and ranks others of them."""

    def fit(places: Places) -> Predict:
        chosen = made.corpus.copy()
        chosen[rows.places[places]] = True
        difficulty = made.difficulty(chosen)
        return lambda asked: difficulty[rows.places[asked]]

    return fit


def _without(made: Transfer, rows: OutcomeRows, inside: Flags) -> Numbers:
    """Return the difficulty of all rows by what was fitted outside a family; NaN where it is all there is."""
    places = np.arange(len(inside))
    if inside.all():
        return np.full(len(inside), np.nan)
    return _fit(made, rows)(places[~inside])(places)


def _part(
    made: Transfer, rows: OutcomeRows, pair: str, inside: Flags, rankings: Mapping[str, Numbers]
) -> dict[str, Any]:
    """Return the areas of one pair on a part of a source's rows, with what the part's own labels teach."""
    weak, strong = (scores[inside] for scores in rows.pairs[pair])
    places = rows.places[inside]
    folds = made.examples.folds[places]
    tasks = [task for task, there in zip(rows.tasks, inside, strict=True) if there]
    found = {name: rank[inside] for name, rank in rankings.items()}
    own = by_own_labels(made.examples.inputs[places], strong - weak, folds, made.config.clip)
    several = len(set(tasks)) > 1
    table = task_table(tasks, strong - weak, folds) if several else np.zeros(len(tasks))
    return areas(
        {
            "left_out": found["left_out"],
            "in_domain": found["in_domain"],
            "own_labels": own,
            **found,
            "task_table": table,
        },
        weak,
        strong,
        _BASELINES,
        made.config.seed,
        made.config.resamples,
    )


def sources_left_out(
    made: Transfer, without: Mapping[str, Numbers], corpus: OutcomeRows
) -> dict[str, dict[str, Any]]:
    """Return {source and pair: areas on all of its rows by what was fitted without it}, the corpus last."""
    found = {}
    difficulty = {**without, CORPUS: made.without(corpus)}
    for source, rows in {**made.found, CORPUS: corpus}.items():
        folds = made.examples.folds[rows.places]
        for pair, (weak, strong) in rows.pairs.items():
            table = task_table(rows.tasks, strong - weak, folds)
            rankings = {"source_out": difficulty[source], "length": rows.length, "task_table": table}
            drawn = {"seed": made.config.seed, "rounds": made.config.resamples}
            found[f"{source}, {pair}"] = areas(rankings, weak, strong, _BASELINES, **drawn)
    return found


def corpus_rows(needed: Places, kinds: Sequence[str], length: Numbers) -> OutcomeRows:
    """Return the corpus as rows of two models: one that answers what the cheapest tier is enough for, and one
    that answers all; `kinds` are its tasks."""
    places = np.arange(len(needed))
    return OutcomeRows(places, places, kinds, {"as labelled": performance(needed, 0)}, length)


def outcome_rows(
    scores: Sequence[Mapping[str, float]],
    families: Places,
    names: Sequence[str],
    length: Numbers,
    first: int,
    config: TrainingConfig,
) -> dict[str, OutcomeRows]:
    """Return, per source with pairs, the rows that all their models answered; `first` is where rows begin."""
    found = {}
    for source in sorted({name.partition("/")[0] for name in names}):
        pairs = pairs_of(source, config)
        models = {model for pair in pairs.values() for side in pair for model in side}
        every = [
            place
            for place, family in enumerate(families)
            if family and names[family - 1].startswith(f"{source}/")
        ]
        chosen = [place for place in every if models <= scores[place].keys()]
        if pairs and chosen:
            found[source] = OutcomeRows(
                places=first + np.array(chosen, dtype=np.int64),
                every=first + np.array(every, dtype=np.int64),
                tasks=[names[families[place] - 1].removeprefix(f"{source}/") for place in chosen],
                pairs={
                    label: (_means(scores, chosen, weak), _means(scores, chosen, strong))
                    for label, (weak, strong) in pairs.items()
                },
                length=length[chosen],
            )
    return found


def _means(scores: Sequence[Mapping[str, float]], chosen: Sequence[int], models: Sequence[str]) -> Numbers:
    return np.array([np.mean([scores[place][model] for model in models]) for place in chosen])
