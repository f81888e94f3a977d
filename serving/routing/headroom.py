"""What budgets leave for one request, and the most that it can cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from serving.routing.catalog import Deployment

if TYPE_CHECKING:
    from serving.routing.request import RoutingRequest

NANODOLLARS_PER_DOLLAR = 10**9
PICODOLLARS_PER_NANODOLLAR = 1_000


@dataclass(frozen=True, slots=True)
class Headroom:
    """What is left of one budget that holds for a request, at the moment of the decision.

    `left_nanousd` is in nanodollars (10⁻⁹ $), None where nobody can tell: then nothing is left.
    `deployments` is None where the budget holds for all. `renews_at` is in Unix seconds.
    """

    budget: str
    usd: float
    per: str
    renews_at: float
    left_nanousd: int | None
    deployments: frozenset[str] | None = None

    def holds_for(self, deployment: str) -> bool:
        """Tell whether what this deployment costs is taken from this budget."""
        return self.deployments is None or deployment in self.deployments

    @property
    def told(self) -> str:
        """Return the budget in words: its name, its amount and its window.

        >>> Headroom("team", 5.0, "day", 0.0, None).told
        "budget 'team' ($5 per day)"
        """
        return f"budget {self.budget!r} (${self.usd:g} per {self.per})"

    @property
    def renews(self) -> str:
        """Return when the next window begins, in words."""
        return f"{datetime.fromtimestamp(self.renews_at, UTC):%Y-%m-%d %H:%M} UTC"


def worst_cost_nanousd(request: RoutingRequest, row: Deployment) -> int | None:
    """Return the most that an answer can cost, in nanodollars rounded up; None where that is unknown.

    It counts the prompt at its upper bound, at the dearest of the prices for input, and each answer as long
    as the caller allows, else as the deployment can write at all.
    """
    # asked of each deployment of a long catalog: one function, no more
    prices = row.prices
    dearest_input, dearest_output = prices.input, prices.output
    output_tokens = request.max_output_tokens or row.max_output_tokens or row.context_window_tokens
    if request.unmeasured_tokens is None:
        # a part of unknown length (audio, a file) may fill the window; no provider takes more
        input_tokens = row.context_window_tokens
    else:
        input_tokens = request.input_for(row.tokenizer).at_most + request.unmeasured_tokens
    if dearest_input is None or dearest_output is None or output_tokens is None or input_tokens is None:
        return None
    for price in (prices.cached_read, prices.cached_write):
        if price is not None and price > dearest_input:
            dearest_input = price
    if prices.reasoning is not None and prices.reasoning > dearest_output:
        dearest_output = prices.reasoning
    cost = input_tokens * dearest_input + request.choices * output_tokens * dearest_output
    return -(-cost // PICODOLLARS_PER_NANODOLLAR)


def nanodollars(usd: float) -> int:
    """Return dollars as whole nanodollars, rounded up, so that no rounding hides a cost.

    >>> nanodollars(0.1), nanodollars(1.5e-10), nanodollars(0.3e-9 * 10)
    (100000000, 1, 3)
    """
    exact = usd * NANODOLLARS_PER_DOLLAR
    nearest = round(exact)
    # a float stands for the decimal that was meant
    return nearest if abs(exact - nearest) < 1e-6 * max(1.0, abs(exact) * 1e-6) else int(exact) + 1


def told_usd(nanousd: int) -> str:
    """Return nanodollars as a person reads them.

    >>> told_usd(1_234_567)
    '$0.001235'
    """
    return f"${nanousd / NANODOLLARS_PER_DOLLAR:.6f}"
