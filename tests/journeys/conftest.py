"""Real servers for the journeys that leave them as they found them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.fakes import FakeProvider
from tests.running import served

_CAN = ["tools", "parallel_tools", "json_schema", "vision", "files", "streaming", "reasoning"]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session")
def _house(tmp_path_factory):
    with FakeProvider() as provider:
        row = {
            "name": "able", "model": "able-1", "adapter": "openai_compatible", "tier": "premium",
            "base_url": provider.base_url, "usd_per_million_input": 1.0, "usd_per_million_output": 2.0,
            "context_window_tokens": 100_000, "max_output_tokens": 10_000, "capabilities": _CAN,
        }  # fmt: skip
        embedder = row | {
            "name": "embedder", "model": "embed-1", "usd_per_million_output": 0.0,
            "capabilities": ["embeddings"], "compliance": ["eu"],
        }  # fmt: skip
        folder = tmp_path_factory.mktemp("house")
        # what a test lets fail must not shut the deployment for the next
        never_open = {"failure_threshold": 1_000_000}
        with served(
            folder, catalog={"include_defaults": False}, deployments=[row, embedder], tables=never_open
        ) as running:
            yield SimpleNamespace(server=running, provider=provider, base_url=running.base_url)


@pytest.fixture
def house(_house):
    """Return a server of its own process before one provider that can do everything, as scripted."""
    _house.provider.plays()
    return _house
