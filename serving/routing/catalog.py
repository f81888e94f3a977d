"""The cost table: every deployment with what it charges, can do, is cleared for and is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deployment:
    """One LLM at one provider in one region: a row of the catalog.

    Prices are US dollars per million tokens. None means *unknown*, never zero or unlimited.
    `quality[t]` is the expected quality (0–1) of its answers to prompts that require tier `t`.
    `first_token_ms` and `output_tokens_per_second` are priors, until live numbers exist.
    `by_name_only` is None, or the reason why only a caller who names the deployment gets it.
    """

    name: str
    model: str
    adapter: str
    tier: str
    quality: Mapping[str, float]
    base_url: str = ""
    api_key_env: str | None = None
    usd_per_million_input: float | None = None
    usd_per_million_output: float | None = None
    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset()
    compliance: frozenset[str] = frozenset()
    first_token_ms: float | None = None
    output_tokens_per_second: float | None = None
    by_name_only: str | None = None

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float | None:
        """Return the price of a call in dollars, or None where a price is unknown.

        >>> row = Deployment("a", "a", "demo", "economy", {}, usd_per_million_input=1.0,
        ...                  usd_per_million_output=2.0)
        >>> row.cost_usd(1_000_000, 500_000)
        2.0
        """
        if self.usd_per_million_input is None or self.usd_per_million_output is None:
            return None
        return (input_tokens * self.usd_per_million_input + output_tokens * self.usd_per_million_output) / 1e6


@dataclass(frozen=True, slots=True)
class Catalog:
    """All deployments by name, in the order of the settings."""

    deployments: Mapping[str, Deployment]

    def __iter__(self) -> Iterator[Deployment]:
        return iter(self.deployments.values())

    def __len__(self) -> int:
        return len(self.deployments)

    def named(self, model: str) -> tuple[Deployment, ...]:
        """Return the deployment of that name, or all that serve the model of that name."""
        own = self.deployments.get(model)
        if own is not None:
            return (own,)
        return tuple(row for row in self if row.model == model)
