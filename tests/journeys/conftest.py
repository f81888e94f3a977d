"""One real server for the journeys that leave it as they found it."""

from __future__ import annotations

import pytest

from tests.running import served


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running
