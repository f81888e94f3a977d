"""Money counted exactly: prices as whole picodollars a token, so that no sum is rounded on its way.

A dollar per million tokens is 1,000,000 picodollars (10⁻¹² $) a token, so that a price with up to six
decimals is a whole number, and so is every cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

PICODOLLARS_PER_DOLLAR = 10**12
_PICODOLLARS_PER_USD_PER_MILLION = 10**6


@dataclass(frozen=True, slots=True)
class Prices:
    """What a token costs, in picodollars; None means *unknown*, never zero.

    Tokens read from a prompt cache cost `input` where `cached_read` is unknown, which is never too little.
    Writing to a cache may cost more than `input`, so that nothing stands in for an unknown `cached_write`.
    Reasoning is part of the answer, and costs `output` where no price of its own is stated.
    """

    input: int | None = None
    output: int | None = None
    cached_read: int | None = None
    cached_write: int | None = None
    reasoning: int | None = None

    def picodollars(
        self,
        input_tokens: int,
        output_tokens: int,
        cached_input_tokens: int = 0,
        cache_write_input_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> int | None:
        """Return what a call costs, or None where a price that it depends on is unknown.

        `input_tokens` counts all of the prompt, cached tokens included; `output_tokens` all of the answer,
        reasoning included.

        >>> Prices(1_000_000, 2_000_000, cached_read=100_000).picodollars(1000, 10, cached_input_tokens=900)
        210000000
        """
        if self.input is None or self.output is None:
            return None
        cost = input_tokens * self.input + output_tokens * self.output
        if cached_input_tokens and self.cached_read is not None:
            cost += min(cached_input_tokens, input_tokens) * (self.cached_read - self.input)
        if cache_write_input_tokens:
            if self.cached_write is None:
                return None
            written = min(cache_write_input_tokens, max(input_tokens - cached_input_tokens, 0))
            cost += written * (self.cached_write - self.input)
        if reasoning_tokens and self.reasoning is not None:
            cost += min(reasoning_tokens, output_tokens) * (self.reasoning - self.output)
        return cost


def picodollars_per_token(usd_per_million: Decimal | float | None) -> int | None:
    """Return a price in dollars per million tokens as whole picodollars a token.

    A float stands for the shortest decimal that reads back as it, which is what was written.

    >>> picodollars_per_token(0.075), picodollars_per_token(Decimal("2.5")), picodollars_per_token(None)
    (75000, 2500000, None)
    """
    if usd_per_million is None:
        return None
    return int((Decimal(str(usd_per_million)) * _PICODOLLARS_PER_USD_PER_MILLION).to_integral_value())


def usd(picodollars: int) -> float:
    """Return the dollars nearest to a cost; printed, it shows up to 15 digits of it exactly.

    >>> usd(75_000 * 3)
    2.25e-07
    """
    return picodollars / PICODOLLARS_PER_DOLLAR
