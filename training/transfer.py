"""Does what was learned hold elsewhere? Area recovered on public outcome data, task by task.

Four rankings of one task's prompts beside each other: by the corpus alone, by the corpus and every other task
("left out"), by the task's own other folds too ("in domain"), and by prompt length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import OUTCOME_PAIRS, TrainingConfig
from training.curves import Numbers, Places
from training.fit import Examples, fit_order
from training.groups import Predict, area_of, left_out
from training.labeling import Labels

_C = 6.0


@dataclass(frozen=True, slots=True)
class OutcomeRows:
    """The outcome rows among the examples: their places, their task each, and two models' scores."""

    places: Places
    tasks: Sequence[str]
    weak: Numbers
    strong: Numbers
    length: Numbers


def transfer(
    examples: Examples, own: int, found: Mapping[str, OutcomeRows], config: TrainingConfig, embedded: int
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {source and pair: {task: {"rows", "corpus", "left_out", "in_domain", "length"}}}.

    The first `own` examples are the corpus. Outcome rows count fully here, whatever their weight in training.
    The last task is "all": every prompt of the source in one ranking, where "task_table" may beat them all.
    """
    weights = examples.labels.weights.copy()
    weights[own:] = 1.0
    even = replace(examples, labels=Labels(examples.labels.targets, weights))
    corpus = np.arange(len(examples.inputs)) < own
    by_corpus = _difficulty(even, corpus, config, embedded)
    result = {}
    for source, rows in found.items():

        def fit(places: Places, rows: OutcomeRows = rows) -> Predict:
            chosen = corpus.copy()
            chosen[rows.places[places]] = True
            difficulty = _difficulty(even, chosen, config, embedded)
            return lambda asked: difficulty[rows.places[asked]]

        folds = even.folds[rows.places]
        areas = left_out(fit, rows.tasks, folds, rows.length, rows.weak, rows.strong)
        weak, strong = OUTCOME_PAIRS[source]
        result[f"{source}, {weak} and {strong}"] = _with_corpus(areas, rows, by_corpus[rows.places], folds)
    return result


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
        chosen = [
            place
            for place, (family, row) in enumerate(zip(families, scores, strict=True))
            if family and names[family - 1].startswith(f"{source}/") and weak in row and strong in row
        ]
        if chosen:
            found[source] = OutcomeRows(
                places=first + np.array(chosen, dtype=np.int64),
                tasks=[names[families[place] - 1].removeprefix(f"{source}/") for place in chosen],
                weak=np.array([scores[place][weak] for place in chosen]),
                strong=np.array([scores[place][strong] for place in chosen]),
                length=length[chosen],
            )
    return found


def _difficulty(
    examples: Examples, chosen: npt.NDArray[np.bool_], config: TrainingConfig, embedded: int
) -> Numbers:
    """Return how far every example is from "the cheapest tier is enough", after fitting on those chosen."""
    return -fit_order(examples.take(chosen), 0, _C, config, embedded).scores(examples)


def _with_corpus(
    areas: dict[str, dict[str, Any]], rows: OutcomeRows, by_corpus: Numbers, folds: Places
) -> dict[str, dict[str, Any]]:
    """Return the areas with those of the corpus alone beside them, and all tasks in one ranking last."""
    tasks = np.array(rows.tasks, dtype=object)
    for task, found in areas.items():
        inside = tasks == task
        found["corpus"] = area_of(by_corpus[inside], rows.weak[inside], rows.strong[inside])
        found["task_table"] = 0.5
    ranked = {"length": rows.length, "corpus": by_corpus, "task_table": _task_table(rows, folds)}
    pooled = {name: area_of(rank, rows.weak, rows.strong) for name, rank in ranked.items()}
    none = {"left_out": None, "in_domain": None}
    return {**dict(sorted(areas.items())), "all": {"rows": len(tasks), **none, **pooled}}


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
