"""Feature by feature, provider by provider: exactly what is sent, and a table that says no more."""

from __future__ import annotations

import pytest

from tests.serving.dispatch.conformance import PROVIDERS, golden, sent, table, table_in_docs
from tests.serving.dispatch.features import FEATURES


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_provider_is_sent_what_its_golden_file_says(feature, provider):
    assert sent(provider, FEATURES[feature][1]) == golden(feature)[provider]


def test_the_documented_table_claims_what_the_golden_files_show_and_no_more():
    assert table_in_docs() == table()
