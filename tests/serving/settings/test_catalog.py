"""What is usable here follows from the settings and from which keys the environment holds."""

from __future__ import annotations

import pytest

from classifier.tiers import DEFAULT_TIERS
from serving.errors import ConfigurationError
from serving.routing.policy import Policy
from serving.settings import build_catalog, build_policy, keys, server_keys, switched_off
from serving.settings.load import validate_text

ONE_DEMO = (
    'catalog.include_defaults = false\n[[deployments]]\nname = "d"\nadapter = "demo"\ntier = "standard"\n'
)
ONE_REAL = """
catalog.include_defaults = false
[[deployments]]
name = "far"
adapter = "openai_compatible"
tier = "premium"
base_url = "https://a.b/v1/"
api_key_env = "FAR_KEY"
"""


def test_without_keys_the_three_demo_deployments_are_usable():
    catalog = build_catalog(validate_text("", "t"), {})
    assert [row.name for row in catalog] == ["demo-economy", "demo-standard", "demo-premium"]
    assert [row.by_name_only for row in catalog] == [None] * 3


def test_with_a_key_the_real_deployments_join_and_the_demo_steps_aside():
    catalog = build_catalog(validate_text("", "t"), {"MISTRAL_API_KEY": "k"})
    real = [row.name for row in catalog if row.by_name_only is None]
    assert real
    assert all(name.startswith("mistral") for name in real)
    assert catalog.deployments["demo-economy"].by_name_only is not None


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_key_is_no_key(value):
    found = validate_text("", "t")
    assert "mistral-large-4" not in build_catalog(found, {"MISTRAL_API_KEY": value}).deployments
    assert keys(found, {"MISTRAL_API_KEY": value}) == {}


def test_what_is_off_says_which_key_to_set():
    off = switched_off(
        validate_text(ONE_DEMO + ONE_REAL.replace("catalog.include_defaults = false", ""), "t"), {}
    )
    assert off == {"far": "set FAR_KEY"}


def test_a_catalog_without_a_usable_deployment_is_refused_with_the_way_out():
    with pytest.raises(ConfigurationError, match="set FAR_KEY"):
        build_catalog(validate_text(ONE_REAL, "t"), {})
    with pytest.raises(ConfigurationError, match="include_defaults"):
        build_catalog(validate_text("catalog.include_defaults = false", "t"), {})


def test_a_row_takes_its_model_and_quality_from_name_and_tier_where_it_gives_none():
    row = build_catalog(validate_text(ONE_DEMO + "quality = { premium = 0.8 }", "t"), {}).deployments["d"]
    assert row.model == "d"
    assert row.quality == {"economy": 0.96, "standard": 0.92, "premium": 0.8}
    assert (row.usd_per_million_input, row.context_window_tokens, row.first_token_ms) == (None, None, None)


def test_a_base_url_loses_its_last_slash():
    row = build_catalog(validate_text(ONE_REAL, "t"), {"FAR_KEY": "k"}).deployments["far"]
    assert row.base_url == "https://a.b/v1"


def test_tags_of_ones_own_are_kept():
    row = build_catalog(validate_text(ONE_DEMO + 'compliance = ["x-board", "eu"]', "t"), {}).deployments["d"]
    assert row.compliance == {"x-board", "eu"}


def test_keys_are_those_that_rows_name_and_the_environment_holds():
    found = validate_text(ONE_REAL, "t")
    assert keys(found, {"FAR_KEY": " secret\n", "OTHER": "x"}) == {"FAR_KEY": "secret"}


@pytest.mark.parametrize("value", ["two words", "schlüssel", "a\x00b", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(value):
    with pytest.raises(ConfigurationError) as refused:
        keys(validate_text(ONE_REAL, "t"), {"FAR_KEY": value})
    assert "FAR_KEY" in refused.value.message
    assert value not in refused.value.message


def test_callers_keys_are_separated_by_commas():
    found = validate_text("", "t")
    assert server_keys(found, {"WEIGHBRIDGE_API_KEYS": "a, b,,c "}) == {"a", "b", "c"}
    assert server_keys(found, {}) == server_keys(found, {"WEIGHBRIDGE_API_KEYS": " , "}) == frozenset()


def test_an_empty_variable_name_opens_the_service_to_all():
    found = validate_text('server.api_keys_env = ""', "t")
    assert server_keys(found, {"": "a", "WEIGHBRIDGE_API_KEYS": "b"}) == frozenset()


def test_secrets_do_not_show_in_the_settings():
    environ = {"FAR_KEY": "sk-secret"}
    found = validate_text(ONE_REAL, "t")
    assert "sk-secret" not in f"{found!r}{found.model_dump()}{build_catalog(found, environ)!r}"


def test_the_policy_of_the_defaults_is_the_policy_of_the_code():
    assert build_policy(validate_text("", "t")) == Policy()


def test_the_tiers_of_the_defaults_are_those_of_the_classifier():
    assert tuple(validate_text("", "t").quality_prior) == DEFAULT_TIERS


def test_every_built_in_deployment_is_priced_and_has_a_window():
    for row in validate_text("", "t").deployments:
        assert row.usd_per_million_input is not None, row.name
        assert row.usd_per_million_output is not None, row.name
        assert row.context_window_tokens is not None, row.name
        assert "streaming" in row.capabilities, row.name


def test_each_tier_costs_more_than_the_one_below_within_a_provider():
    by_provider = {}
    for row in validate_text("", "t").deployments:
        by_provider.setdefault(row.base_url, {}).setdefault(row.tier, []).append(row.usd_per_million_input)
    for provider, tiers in by_provider.items():
        cheapest = [min(tiers[tier]) for tier in DEFAULT_TIERS if tier in tiers]
        assert cheapest == sorted(cheapest), provider
