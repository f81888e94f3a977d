"""A long catalog as columns: what one decision after another asks of it, worked out once.

Rows stand in the order of their names, so that a stable sort by a sum breaks its ties by name. What is kept
here changes how long a decision takes, never how it ends: the same arguments give the same columns.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from serving.routing.prices import Prices
from serving.routing.snapshot import DeploymentState

if TYPE_CHECKING:
    from serving.routing.catalog import Deployment
    from serving.routing.request import RoutingRequest

Mask = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]

# Up to here a whole number is a float without being rounded, so that both ways of counting agree.
EXACT = 2**53
# What callers ask for recurs; whoever asks for ever new tags gets them without a place to keep them.
_MOST_NEEDS = 256
_EMBEDS = "embeddings"
# The day after the last one there is.
_NEVER = date.max.toordinal() + 1


class Live(NamedTuple):
    """What is known of each deployment right now; `states` is what it was made of, `quality` is per tier."""

    states: tuple[DeploymentState, ...]
    is_up: Mask
    first_token_ms: Real
    tokens_per_second: Real
    quality: dict[str, Real]


class _Needs(NamedTuple):
    """What of a request the catalog alone answers."""

    day: date | None
    capabilities: frozenset[str]
    compliance: frozenset[str]
    uses: frozenset[str]


class Columns:
    """The figures of a catalog's rows; -1 stands for an unknown size, which holds nothing."""

    def __init__(self, rows: Iterable[Deployment]) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: row.name))
        self.place = {row.name: place for place, row in enumerate(self.rows)}
        prices = [row.prices for row in self.rows]
        self.names = np.array([row.name for row in self.rows], dtype=object)
        self.tiers = np.array([row.tier for row in self.rows], dtype=object)
        self.has_price = np.array([None not in (one.input, one.output) for one in prices], dtype=np.bool_)
        self.families = tuple(sorted({row.tokenizer for row in self.rows}))
        self.family = np.array([self.families.index(row.tokenizer) for row in self.rows], dtype=np.int64)
        self._sizes(prices)
        ends = [_NEVER if row.sunset is None else row.sunset.toordinal() for row in self.rows]
        self._ends = np.array(ends, dtype=np.int64)
        self._is_open = self.has_price & np.array([row.by_name_only is None for row in self.rows])
        self._of_tier = {tier: self.tiers == tier for tier in set(self.tiers.tolist())}
        self._nobody = np.zeros(len(self.rows), dtype=np.bool_)
        self._standing: dict[_Needs, Mask] = {}
        self._live: Live | None = None
        # one call of the interpreter for all the rows
        self._states_in = operator.itemgetter(*self.place) if len(self.rows) > 1 else None

    def _sizes(self, prices: list[Prices]) -> None:
        """Set the columns of whole numbers, and the bounds of them."""
        rows = self.rows
        sizes = (
            [one.input or 0 for one in prices],
            [one.output or 0 for one in prices],
            [_dearest_input(one) for one in prices],
            [max(one.output or 0, one.reasoning or 0) for one in prices],
            [_or_unknown(row.context_window_tokens) for row in rows],
            [_or_unknown(row.max_output_tokens or row.context_window_tokens) for row in rows],
            [EXACT if row.max_output_tokens is None else row.max_output_tokens for row in rows],
        )
        made = [np.array([min(size, EXACT) for size in one], dtype=np.int64) for one in sizes]
        self.input_price, self.output_price, self.dearest_input, self.dearest_output = made[:4]
        self.window, self.longest_answer, self.output_limit = made[4:]
        self.largest_price = max(int(column.max()) for column in made[:4])
        self.largest_size = max(int(column.max()) for column in made[4:6])
        self.least_window, self.least_output = int(self.window.min()), int(self.output_limit.min())

    def live(self, states: Mapping[str, DeploymentState]) -> Live:
        """Return the columns of these states; what has not changed since the last ones is not read again."""
        now = self._states_in(states) if self._states_in else tuple(states[name] for name in self.place)
        before = self._live
        # what is the same object is equal without a look at it
        if before is not None and before.states == now:
            return before
        self._live = self._read(now) if before is None else self._read_again(before, now)
        return self._live

    def _read(self, states: tuple[DeploymentState, ...]) -> Live:
        return Live(
            states,
            np.array([not state.unavailable for state in states], dtype=np.bool_),
            np.array([state.first_token_ms for state in states], dtype=np.float64),
            np.array([state.output_tokens_per_second for state in states], dtype=np.float64),
            {},
        )

    def _read_again(self, before: Live, now: tuple[DeploymentState, ...]) -> Live:
        # whoever still reads the earlier columns keeps them
        quality = {tier: column.copy() for tier, column in before.quality.items()}
        made = Live(
            now, before.is_up.copy(), before.first_token_ms.copy(), before.tokens_per_second.copy(), quality
        )
        for place in compress(range(len(now)), map(operator.is_not, now, before.states)):
            state = now[place]
            made.is_up[place] = not state.unavailable
            made.first_token_ms[place] = state.first_token_ms
            made.tokens_per_second[place] = state.output_tokens_per_second
            for tier, column in quality.items():
                column[place] = self._quality(place, state, tier)
        return made

    def quality(self, live: Live, tier: str) -> Real:
        """Return each deployment's quality for prompts that require a tier, learned or of the catalog."""
        found = live.quality.get(tier)
        if found is None:
            found = np.array(
                [self._quality(place, state, tier) for place, state in enumerate(live.states)],
                dtype=np.float64,
            )
            live.quality[tier] = found
        return found

    def _quality(self, place: int, state: DeploymentState, tier: str) -> float:
        return (state.quality or self.rows[place].quality).get(tier, 0.0)

    def standing(self, request: RoutingRequest) -> Mask:
        """Return who may serve a request with such needs, as far as the catalog alone tells."""
        needs = _Needs(request.day, request.limits.capabilities, request.limits.compliance, request.uses)
        found = self._standing.get(needs)
        if found is None:
            found = self._stands(needs)
            if len(self._standing) >= _MOST_NEEDS:
                self._standing.clear()
            self._standing[needs] = found
        return found

    def _stands(self, needs: _Needs) -> Mask:
        day, capabilities, compliance, uses = needs
        able = [
            capabilities <= row.capabilities
            and uses.isdisjoint(row.lacks)
            and (_EMBEDS in capabilities or _EMBEDS not in row.capabilities)
            and all(tag in row.compliance or row.forgets_within(tag) for tag in compliance)
            for row in self.rows
        ]
        # without a day, whatever ends is over
        today = _NEVER - 1 if day is None else day.toordinal()
        found: Mask = self._is_open & np.array(able, dtype=np.bool_) & (today < self._ends)
        return found

    def of_tiers(self, tiers: Iterable[str]) -> Mask:
        """Return the deployments of these tiers."""
        found = self._nobody
        for tier in tiers:
            found = found | self._of_tier.get(tier, self._nobody)
        return found

    def places(self, names: Iterable[str]) -> list[int]:
        """Return where these deployments stand, without those that are not there."""
        return [self.place[name] for name in names if name in self.place]


def _dearest_input(prices: Prices) -> int:
    return max(prices.input or 0, prices.cached_read or 0, prices.cached_write or 0)


def _or_unknown(size: int | None) -> int:
    return -1 if size is None else size
