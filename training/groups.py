"""Figures of parts: by language, kind, source or trait, and what is left when a whole part was never seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from training.baselines import Routing, figures
from training.curves import CurveError, Numbers, Places, area_recovered

Predict = Callable[[Places], Numbers]
Fit = Callable[[Places], Predict]
_FIGURES = ("accuracy", "recall", "under_routed", "over_routed")


def by_group(
    needed: Places, one: Routing, tiers: Sequence[str], values: Sequence[Collection[str]]
) -> dict[str, dict[str, Any]]:
    """Return rows and figures for each value; a row counts in each of its values, as one has many traits."""
    found = {}
    for value in sorted({name for names in values for name in names}):
        inside = np.array([value in names for names in values])
        part = Routing(one.sufficiency[inside], one.places[inside], one.difficulty[inside])
        of_part = figures(needed[inside], part, tiers)
        found[value] = {"rows": int(inside.sum()), **{name: of_part[name] for name in _FIGURES}}
    return found


def left_out(
    fit: Fit, groups: Sequence[str], folds: Places, words: Numbers, weak: Numbers, strong: Numbers
) -> dict[str, dict[str, Any]]:
    """Return, per group, the area recovered on its rows by what was fitted on the other groups alone.

    `fit` takes the places of training rows and returns a function from places to difficulty. Beside it stand
    prompt length on the same rows, and "in_domain": fitted with the group's other folds in sight. An area is
    None where the strong model gains nothing on the group.
    """
    places = np.arange(len(folds))
    in_domain = np.zeros(len(folds))
    for fold in np.unique(folds):
        in_domain[folds == fold] = fit(places[folds != fold])(places[folds == fold])
    names = np.array(groups, dtype=object)
    found = {}
    for group in dict.fromkeys(groups):
        inside = names == group
        unseen = fit(places[~inside])(places[inside]) if not inside.all() else None
        rankings = {"left_out": unseen, "length": words[inside], "in_domain": in_domain[inside]}
        areas = {name: area_of(rank, weak[inside], strong[inside]) for name, rank in rankings.items()}
        found[group] = {"rows": int(inside.sum()), **areas}
    return found


def above_length(found: dict[str, dict[str, Any]]) -> str:
    """Return on how many of the groups that have figures the unseen group was ranked better than by length.

    >>> above_length({"a": {"left_out": 0.6, "length": 0.5}, "b": {"left_out": None, "length": None}})
    '1 of 1'
    """
    judged = [one for one in found.values() if one["left_out"] is not None]
    return f"{sum(one['left_out'] > one['length'] for one in judged)} of {len(judged)}"


def area_of(difficulty: Numbers | None, weak: Numbers, strong: Numbers) -> float | None:
    """Return the area recovered; None without a ranking, and where the strong model gains nothing."""
    if difficulty is None:
        return None
    try:
        return round(area_recovered(difficulty, weak, strong), 4)
    except CurveError:
        return None
