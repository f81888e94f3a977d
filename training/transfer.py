"""Does what was learned hold elsewhere? Area recovered on public outcome data, by task and by source.

Rankings of one task's prompts beside each other: by the corpus alone; by everything but this source ("source
out"); by the corpus and the source's other tasks ("left out"); by the task's own other folds too ("in
domain"); by prompt length; by the gain of each task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.areas import areas, areas_by_group
from training.config import OUTCOME_PAIRS, TrainingConfig
from training.curves import Numbers, Places
from training.curves import performance_from_labels as performance
from training.fit import Examples, fit_order
from training.groups import Predict, left_out
from training.labeling import Labels

Flags = npt.NDArray[np.bool_]
_C = 6.0


# What the others are measured against, ranking for ranking.
_BASELINES = ("length", "task_table")
CORPUS = "the corpus"


@dataclass(frozen=True, slots=True)
class OutcomeRows:
    """Rows among the examples: their places, their task each, and two models' scores.

    `every` are the places of all rows of the source, those too that the two models did not both answer.
    """

    places: Places
    every: Places
    tasks: Sequence[str]
    weak: Numbers
    strong: Numbers
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


def transfer(made: Transfer) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {source and pair: {task: areas with intervals}}; the last task is every prompt in one ranking.

    In that one, rankings that were fitted anew for each task say nothing.
    """
    by_corpus = made.difficulty(made.corpus)
    result = {}
    for source, rows in made.found.items():

        def fit(places: Places, rows: OutcomeRows = rows) -> Predict:
            chosen = made.corpus.copy()
            chosen[rows.places[places]] = True
            difficulty = made.difficulty(chosen)
            return lambda asked: difficulty[rows.places[asked]]

        folds = made.examples.folds[rows.places]
        whole = {
            "source_out": made.without(rows),
            "corpus": by_corpus[rows.places],
            "length": rows.length,
            "task_table": _task_table(rows, folds),
        }
        own = left_out(fit, rows.tasks, folds)
        drawn = {"seed": made.config.seed, "rounds": made.config.resamples}
        tasks = areas_by_group(
            {**own, **whole, "task_table": np.zeros(len(folds))},
            rows.tasks,
            rows.weak,
            rows.strong,
            _BASELINES,
            **drawn,
        )
        nothing = dict.fromkeys(own, np.full(len(folds), np.nan))
        together = areas({**nothing, **whole}, rows.weak, rows.strong, _BASELINES, **drawn)
        weak, strong = OUTCOME_PAIRS[source]
        result[f"{source}, {weak} and {strong}"] = {**tasks, "all": together}
    return result


def sources_left_out(made: Transfer, corpus: OutcomeRows) -> dict[str, dict[str, Any]]:
    """Return {source: areas on all of its rows by what was fitted without it}; the corpus is one of them."""
    found = {}
    for source, rows in {**made.found, CORPUS: corpus}.items():
        rankings = {
            "source_out": made.without(rows),
            "length": rows.length,
            "task_table": _task_table(rows, made.examples.folds[rows.places]),
        }
        drawn = {"seed": made.config.seed, "rounds": made.config.resamples}
        found[source] = areas(rankings, rows.weak, rows.strong, _BASELINES, **drawn)
    return found


def corpus_rows(needed: Places, kinds: Sequence[str], length: Numbers) -> OutcomeRows:
    """Return the corpus as rows of two models: one that answers what its cheapest tier is enough for, and one
    that answers all; `kinds` are its tasks."""
    places = np.arange(len(needed))
    weak, strong = performance(needed, 0)
    return OutcomeRows(places, places, kinds, weak, strong, length)


def outcome_rows(
    scores: Sequence[Mapping[str, float]],
    families: Places,
    names: Sequence[str],
    length: Numbers,
    first: int,
) -> dict[str, OutcomeRows]:
    """Return, per source with a pair, the rows that both its models answered; `first` is where rows begin."""
    found = {}
    for source, (weak, strong) in OUTCOME_PAIRS.items():
        every = [
            place
            for place, family in enumerate(families)
            if family and names[family - 1].startswith(f"{source}/")
        ]
        chosen = [place for place in every if weak in scores[place] and strong in scores[place]]
        if chosen:
            found[source] = OutcomeRows(
                places=first + np.array(chosen, dtype=np.int64),
                every=first + np.array(every, dtype=np.int64),
                tasks=[names[families[place] - 1].removeprefix(f"{source}/") for place in chosen],
                weak=np.array([scores[place][weak] for place in chosen]),
                strong=np.array([scores[place][strong] for place in chosen]),
                length=length[chosen],
            )
    return found


def _task_table(rows: OutcomeRows, folds: Places) -> Numbers:
    """Return the mean gain of each row's task over the other folds: one figure a task, ties within it."""
    gain, tasks = rows.strong - rows.weak, np.array(rows.tasks, dtype=object)
    found = np.zeros(len(gain))
    for fold in np.unique(folds):
        for task in dict.fromkeys(rows.tasks):
            there = tasks == task
            seen = gain[there & (folds != fold)]
            found[there & (folds == fold)] = seen.mean() if len(seen) else 0.0
    return found
