"""Figures of parts: by language, kind, source or trait, and what is left when a whole part was never seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.baselines import Routing, figures
from training.curves import Numbers, Places
from training.intervals import Statistic, bootstrap_interval

Predict = Callable[[Places], Numbers]
Fit = Callable[[Places], Predict]
_FIGURES = ("accuracy", "recall", "under_routed", "over_routed")


def by_group(
    needed: Places, one: Routing, tiers: Sequence[str], values: Sequence[Collection[str]]
) -> dict[str, dict[str, Any]]:
    """Return rows and figures for each value; a row counts in each of its values, as one has many traits."""
    found: dict[str, dict[str, Any]] = {}
    for value in sorted({name for names in values for name in names}):
        inside = np.array([value in names for names in values])
        part = Routing(one.sufficiency[inside], one.places[inside], one.difficulty[inside])
        of_part = figures(needed[inside], part, tiers)
        found[value] = {"rows": int(inside.sum()), **{name: of_part[name] for name in _FIGURES}}
    return found


def accuracies_beside(
    needed: Places,
    one: Routing,
    others: Mapping[str, Routing],
    values: Sequence[str],
    groups: Sequence[object],
    seed: int,
    rounds: int,
) -> dict[str, dict[str, Any]]:
    """Return, for each value, the interval of the accuracy and the accuracy of every baseline on its rows.

    Rows of one group (a conversation) are drawn together.
    """
    found = {}
    for value in sorted(set(values)):
        inside = np.array([name == value for name in values])
        hits = one.places[inside] == needed[inside]
        drawn = [group for group, there in zip(groups, inside, strict=True) if there]
        interval = bootstrap_interval(_share_of(hits), len(hits), drawn, seed, rounds)
        beside = {
            name: round(float(np.mean(other.places[inside] == needed[inside])), 4)
            for name, other in others.items()
        }
        found[value] = {"accuracy_interval": interval.as_dict(), "beside": beside}
    return found


def left_out(fit: Fit, groups: Sequence[str], folds: Places) -> dict[str, Numbers]:
    """Return two rankings of rows by difficulty: each group by what was fitted on the others, and on all.

    `fit` takes the places of training rows and returns a function from places to difficulty. "left_out" has
    seen nothing of a row's group, "in_domain" the group's other folds too. NaN where no other group is.
    """
    places = np.arange(len(folds))
    names = np.array(groups, dtype=object)
    found = {"left_out": np.full(len(folds), np.nan), "in_domain": np.zeros(len(folds))}
    for fold in np.unique(folds):
        found["in_domain"][folds == fold] = fit(places[folds != fold])(places[folds == fold])
    for group in dict.fromkeys(groups):
        inside = names == group
        if not inside.all():
            found["left_out"][inside] = fit(places[~inside])(places[inside])
    return found


def _share_of(hits: npt.NDArray[np.bool_]) -> Statistic:
    return lambda chosen: float(hits[chosen].mean())
