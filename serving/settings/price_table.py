"""Prices and windows out of a well-kept package that holds them offline: `weighbridge[prices]`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from serving.errors import ConfigurationError
from serving.settings.schema import DeploymentSettings

# How the package calls our figures.
_PRICES = {
    "usd_per_million_input": "input_mtok",
    "usd_per_million_output": "output_mtok",
    "usd_per_million_cached_read": "cache_read_mtok",
    "usd_per_million_cached_write": "cache_write_mtok",
}
# A pinned price should not be overtaken by one that is announced already.
_DAYS_AHEAD = (0, 30, 60, 90)


class PriceTable:
    """The package's providers; `version` names which edition of the table this is."""

    def __init__(self, providers: Iterable[Any], version: str) -> None:
        self._providers = list(providers)
        self.version = version

    @classmethod
    def installed(cls) -> PriceTable:
        """Return the table of the installed package; raise ConfigurationError where there is none."""
        try:
            from genai_prices import __version__, data  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(
                f"The price table is not installed ({error.name}). "
                "Install it with: pip install 'weighbridge[prices]'"
            ) from None
        return cls(data.providers, f"genai-prices {__version__}")

    def figures(self, row: DeploymentSettings, day: date) -> dict[str, Decimal]:
        """Return what the table says of a row, by the row's own keys; empty where it does not know the model.

        Of prices that change with the hour, or are announced for the next three months, the dearest counts.
        Where they rise with the prompt's length, the window ends there, as one price can say no more.
        """
        model = self._model(row)
        if model is None:
            return {}
        days = [day + timedelta(days=ahead) for ahead in _DAYS_AHEAD]
        editions = [
            model.get_prices(datetime.combine(each, time(hour), UTC)) for each in days for hour in range(24)
        ]
        found: dict[str, Decimal] = {}
        starts: list[int] = []
        for ours, theirs in _PRICES.items():
            prices = [getattr(edition, theirs) for edition in editions]
            bases = [getattr(price, "base", price) for price in prices if price is not None]
            starts += [tier.start for price in prices for tier in getattr(price, "tiers", ())]
            if bases:
                found[ours] = max(bases)
        windows = [*starts, *([model.context_window] if model.context_window else [])]
        if windows:
            found["context_window_tokens"] = Decimal(min(windows))
        return found

    def _model(self, row: DeploymentSettings) -> Any:
        for provider in self._providers:
            if row.base_url and re.match(provider.api_pattern, row.base_url):
                found = provider.find_model(row.model or row.name)
                if found is not None:
                    return found
        return None
