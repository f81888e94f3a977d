"""The cost table: every deployment with what it charges, can do, is cleared for and is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from serving.routing.columns import Columns
from serving.routing.prices import Prices, picodollars_per_token, usd
from serving.routing.token_rates import UNKNOWN_FAMILY

RETENTION_TAG = "retention_days"
EMBEDS = "embeddings"
_LONGEST_DAYS = 6


@dataclass(frozen=True, slots=True)
class Deployment:
    """One LLM at one provider in one region: a row of the catalog.

    Prices are US dollars per million tokens, as they were written; `prices` holds the same exactly, for
    arithmetic. None means *unknown*, never zero or unlimited.
    `tokenizer` is the family whose rates count its tokens; `unknown` counts the most of any.
    `quality[t]` is the expected quality (0–1) of its answers to prompts that require tier `t`.
    `first_token_ms` and `output_tokens_per_second` are priors, until live numbers exist.
    `retention_days` is how long the provider keeps prompts at most, 0 for not at all.
    From the day `sunset` on it is not used; `deprecated` and `superseded_by` are told, and change nothing.
    `dialect` names what is special about the provider, or the generation of the model, to its adapter.
    `is_conditional` tells of what can turn away a request that asks for nothing: a name that must be given,
    an end, embeddings in the place of answers, something it lacks, an unknown price.
    `lacks` is what it was found unable to do of what every deployment is thought to do.
    `by_name_only` is None, or the reason why only a caller who names the deployment gets it.
    """

    name: str
    model: str
    adapter: str
    tier: str
    quality: Mapping[str, float]
    base_url: str = ""
    api_key_env: str | None = None
    usd_per_million_input: Decimal | float | None = None
    usd_per_million_output: Decimal | float | None = None
    usd_per_million_cached_read: Decimal | float | None = None
    usd_per_million_cached_write: Decimal | float | None = None
    usd_per_million_reasoning: Decimal | float | None = None
    tokenizer: str = UNKNOWN_FAMILY
    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    compliance: frozenset[str] = frozenset()
    retention_days: int | None = None
    first_token_ms: float | None = None
    output_tokens_per_second: float | None = None
    released: date | None = None
    deprecated: date | None = None
    sunset: date | None = None
    superseded_by: str | None = None
    by_name_only: str | None = None
    prices: Prices = field(init=False, repr=False, compare=False)
    is_conditional: bool = field(init=False, repr=False, compare=False)
    dialect: str | None = None
    lacks: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Keep the prices as whole numbers beside what was written, and what every request must ask about."""
        prices = Prices(
            input=picodollars_per_token(self.usd_per_million_input),
            output=picodollars_per_token(self.usd_per_million_output),
            cached_read=picodollars_per_token(self.usd_per_million_cached_read),
            cached_write=picodollars_per_token(self.usd_per_million_cached_write),
            reasoning=picodollars_per_token(self.usd_per_million_reasoning),
        )
        object.__setattr__(self, "prices", prices)
        conditional = (
            self.by_name_only is not None
            or self.sunset is not None
            or EMBEDS in self.capabilities
            or bool(self.lacks)
            or prices.input is None
            or prices.output is None
        )
        object.__setattr__(self, "is_conditional", conditional)

    def forgets_within(self, tag: str) -> bool:
        """Tell whether a tag such as `retention_days<=30` holds; an unknown retention never does.

        >>> row = Deployment("a", "a", "demo", "economy", {}, retention_days=30)
        >>> row.forgets_within("retention_days<=30"), row.forgets_within("retention_days<=29")
        (True, False)
        """
        name, _, most = tag.partition("<=")
        if name != RETENTION_TAG or self.retention_days is None or not most.isascii() or not most.isdigit():
            return False
        # longer numbers than Python converts are longer than any retention
        return len(most) > _LONGEST_DAYS or self.retention_days <= int(most)

    def cost_usd(
        self,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        cache_write_input_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> float | None:
        """Return the price of a call in dollars, or None where a price that it depends on is unknown.

        >>> row = Deployment("a", "a", "demo", "economy", {}, usd_per_million_input=0.1,
        ...                  usd_per_million_output=0.7)
        >>> row.cost_usd(3, 3)
        2.4e-06
        """
        cost = self.prices.picodollars(
            input_tokens, output_tokens, cached_input_tokens, cache_write_input_tokens, reasoning_tokens
        )
        return None if cost is None else usd(cost)


class _WithColumns:
    """Room for what is worked out once, outside of the fields: it is no part of what a catalog says."""

    __slots__ = ("_columns",)
    _columns: Columns


@dataclass(frozen=True, slots=True)
class Catalog(_WithColumns):
    """All deployments by name, in the order of the settings.

    Every window holds `least_window_tokens` (0 where one is unknown), and everybody can write
    `least_output_tokens`.
    """

    deployments: Mapping[str, Deployment]
    least_window_tokens: int = field(init=False, repr=False, compare=False)
    least_output_tokens: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find what is the same for every request."""
        windows = [row.context_window_tokens or 0 for row in self]
        outputs = [row.max_output_tokens for row in self if row.max_output_tokens is not None]
        object.__setattr__(self, "least_window_tokens", min(windows, default=0))
        object.__setattr__(self, "least_output_tokens", min(outputs, default=math.inf))

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self.deployments.values())

    def __len__(self) -> int:
        return len(self.deployments)

    def columns(self) -> Columns:
        """Return the deployments as columns, made when they are first asked for."""
        try:
            return self._columns
        except AttributeError:
            object.__setattr__(self, "_columns", Columns(self))
            return self._columns

    def named(self, model: str) -> tuple[Deployment, ...]:
        """Return the deployment of that name, or all that serve the model of that name."""
        own = self.deployments.get(model)
        if own is not None:
            return (own,)
        return tuple(row for row in self if row.model == model)
