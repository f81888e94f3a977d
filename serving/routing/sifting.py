"""Who may answer and at what sum: of each deployment in turn, or of a long catalog column by column.

Both ways give the same candidates to the last bit, which a property test holds them to. Why a long catalog's
others are none is worked out where someone reads it: there may be a thousand reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import overload

from serving.routing.catalog import Deployment
from serving.routing.filters import (
    Rejection,
    filters_for,
    filters_that_can,
    first_reason,
    outside,
)
from serving.routing.many import candidates_in
from serving.routing.scoring import Asked, Candidate, by_sum, expected_quality, pricing

# From so many on columns are quicker; for fewer, each of their steps costs more than it saves.
MANY = 32


class Rejections(Sequence[Rejection]):
    """Why the others are no candidates, in the order of the catalog; worked out when it is first read."""

    __slots__ = ("_tell", "_told")

    def __init__(self, tell: Callable[[], tuple[Rejection, ...]]) -> None:
        self._tell = tell
        self._told: tuple[Rejection, ...] | None = None

    def _rows(self) -> tuple[Rejection, ...]:
        if self._told is None:
            self._told = self._tell()
        return self._told

    @overload
    def __getitem__(self, place: int) -> Rejection: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Rejection, ...]: ...

    def __getitem__(self, place: int | slice) -> Rejection | tuple[Rejection, ...]:
        return self._rows()[place]

    def __len__(self) -> int:
        return len(self._rows())

    def __iter__(self) -> Iterator[Rejection]:
        return iter(self._rows())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._rows() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._rows())

    def __repr__(self) -> str:
        return repr(self._rows())


def sift(asked: Asked) -> tuple[list[Candidate], Sequence[Rejection]]:
    """Return the candidates by their sum and name, and why each of the others is none."""
    if len(asked.catalog) < MANY:
        return each(asked, asked.catalog)
    return many(asked)


def each(asked: Asked, rows: Iterable[Deployment]) -> tuple[list[Candidate], Sequence[Rejection]]:
    """Return the candidates among some rows by their sum and name, and why each of the others is none."""
    request, catalog, states, shares, tiers, floor, rates = asked
    price = pricing(request, rates)
    filters = filters_for(request)
    few = filters_that_can(filters, request, catalog)
    candidates: list[Candidate] = []
    rejected: list[Rejection] = []
    for row in rows:
        state = states[row.name]
        against = first_reason(request, row, state, filters if row.is_conditional else few)
        if against is None and tiers is not None:
            against = outside(tiers, row)
        if against is not None:
            rejected.append(against)
            continue
        quality = expected_quality(state.quality or row.quality, shares)
        if quality < floor:
            reason = f"expected quality {quality:.3f} is below the floor of {floor:.3f}"
            rejected.append(Rejection(row.name, "quality_floor", reason))
            continue
        candidates.append(price(row, state, quality))
    candidates.sort(key=by_sum)
    return candidates, tuple(rejected)


def many(asked: Asked) -> tuple[list[Candidate], Sequence[Rejection]]:
    """Return the same for a long catalog, with the reasons told later."""
    request, there = asked.request, asked.catalog.deployments
    # whoever names deployments means few of them
    named = request.only or request.limits.pin
    candidates = None if named else candidates_in(asked)
    if candidates is None:
        rows = [there[name] for name in named if name in there] if named else asked.catalog
        candidates, _ = each(asked, rows)
    return candidates, Rejections(partial(_against, asked, frozenset(row.deployment for row in candidates)))


def _against(asked: Asked, candidates: frozenset[str]) -> tuple[Rejection, ...]:
    _, rejected = each(asked, [row for row in asked.catalog if row.name not in candidates])
    return tuple(rejected)
