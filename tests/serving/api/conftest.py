"""One application in this process for all cheap requests of a test module."""

from __future__ import annotations

import pytest

from tests.running import in_process


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with in_process(tmp_path_factory.mktemp("api")) as running:
        yield running
