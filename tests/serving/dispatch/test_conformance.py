"""Feature by feature, provider by provider: exactly what is sent, and a table that says no more."""

from __future__ import annotations

import json
from dataclasses import astuple

import pytest

from tests.fakes import FakeProvider, Reply
from tests.serving.dispatch.asking import ASKED, adapter, deployment, whole
from tests.serving.dispatch.conformance import (
    PROVIDERS,
    answers,
    answers_table,
    golden,
    golden_from,
    inbound_table,
    sent,
    sent_from,
    table,
    tables_in_docs,
)
from tests.serving.dispatch.features import FEATURES
from tests.serving.dispatch.inbound import INBOUND


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_provider_is_sent_what_its_golden_file_says(feature, provider):
    assert sent(provider, FEATURES[feature][1]) == golden(feature)[provider]


@pytest.mark.parametrize(
    ("api", "feature"), [(api, feature) for api, features in INBOUND.items() for feature in features]
)
def test_every_pair_of_inbound_api_and_provider_is_sent_what_its_golden_file_says(api, feature):
    fields = INBOUND[api][feature][1]
    assert {name: sent_from(api, name, fields) for name in PROVIDERS} == golden_from(api, feature)


def test_the_documented_tables_claim_what_the_golden_files_show_and_no_more():
    assert tables_in_docs() == (table(), inbound_table(), answers_table())


@pytest.mark.parametrize(
    ("feature", "name"), [(feature, name) for feature, cases in answers().items() for name in cases]
)
def test_an_answer_is_told_as_its_golden_file_says(feature, name):
    case = answers()[feature][name]
    with FakeProvider(Reply((json.dumps(case["given"]).encode(),))) as provider:
        answer, usage = whole(adapter(name), deployment(name, provider.base_url), ASKED)
    (choice,) = answer["choices"]
    told = {field: value for field, value in choice["message"].items() if field != "role"}
    told["finish_reason"] = choice["finish_reason"]
    assert {"refusal": None} | told == {"refusal": None} | case["told"]
    assert choice.get("logprobs") == case.get("logprobs")
    if "usage" in case:
        assert astuple(usage) == tuple(case["usage"])
