"""What is allowed and still looks wrong is said, and a sound catalog is left in peace."""

from __future__ import annotations

from datetime import date

import pytest

from serving.settings import build_catalog
from serving.settings.advice import advice, ended
from serving.settings.load import validate_text

DAY = date(2026, 11, 25)
BASE = """
catalog.include_defaults = false
{more}
[[deployments]]
name = "a"
adapter = "demo"
tier = "economy"
usd_per_million_input = 1
usd_per_million_output = 2
context_window_tokens = 1000
first_token_ms = 100
output_tokens_per_second = 100
"""


def said(text, environ=None, has_server_keys=False, day=None):
    settings = validate_text(text, "t")
    return " | ".join(
        advice(
            settings, build_catalog(settings, environ or {}), has_server_keys=has_server_keys, day=day or DAY
        )
    )


def test_the_defaults_give_no_cause():
    assert said("") == ""


def test_each_provider_of_the_defaults_is_free_of_rows_that_never_come_first():
    settings = validate_text("", "t")
    for name in sorted({row.api_key_env for row in settings.deployments if row.api_key_env}):
        assert "never the first choice" not in said("", {name: "k"}), name


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "weigh.example"])
def test_an_open_service_on_a_public_address_is_told(host):
    assert "everyone may call" in said(f'server.host = "{host}"')
    assert "everyone may call" not in said(f'server.host = "{host}"', has_server_keys=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_a_loopback_address_may_be_open(host):
    assert said(f'server.host = "{host}"') == ""


def test_a_tier_without_a_deployment_is_told():
    assert "'premium'" in said(BASE.format(more=""))


def test_a_floor_that_no_deployment_meets_is_told():
    assert "quality_floor is 0.99" in said("policy.quality_floor = 0.99")


def test_a_row_without_price_or_window_is_told():
    text = (
        BASE.format(more="")
        .replace("usd_per_million_output = 2", "")
        .replace("context_window_tokens = 1000", "")
    )
    assert "no usd_per_million_output, no context_window_tokens" in said(text)


def second(**changes):
    (row,) = BASE.format(more="").split("[[deployments]]")[1:]
    row = row.replace('"a"', '"b"')
    for key, value in changes.items():
        row = "\n".join(
            f"{key} = {value}" if line.startswith(f"{key} ") else line for line in row.splitlines()
        )
    return BASE.format(more="") + "[[deployments]]" + row + "\n"


def test_a_row_that_is_dearer_and_no_better_is_told():
    assert "'b' is never the first choice: 'a'" in said(second(usd_per_million_input=3))


@pytest.mark.parametrize(
    "own",
    [
        {"usd_per_million_output": 1},
        {"first_token_ms": 50},
        {"output_tokens_per_second": 200},
        {"context_window_tokens": 2_000},
        {"tier": '"standard"'},
    ],
)
def test_a_dearer_row_with_a_merit_of_its_own_is_left_in_peace(own):
    assert "never the first choice" not in said(second(usd_per_million_input=3, **own))


@pytest.mark.parametrize("own", ['capabilities = ["tools"]', 'compliance = ["eu"]'])
def test_a_dearer_row_that_can_or_may_more_is_left_in_peace(own):
    assert "never the first choice" not in said(second(usd_per_million_input=3) + own)


def test_two_equal_rows_are_spares_for_each_other():
    assert "never the first choice" not in said(second())


def test_a_key_sent_in_clear_is_told():
    row = """
[[deployments]]
name = "far"
adapter = "openai_compatible"
tier = "premium"
base_url = "http://a.b/v1"
api_key_env = "FAR_KEY"
"""
    assert "unencrypted" in said(row, {"FAR_KEY": "k"})
    assert "unencrypted" not in said(row.replace("a.b", "127.0.0.1"), {"FAR_KEY": "k"})


def test_a_row_that_soon_ends_is_told_with_what_follows_it():
    text = BASE.format(more="") + 'sunset = 2026-12-31\nsuperseded_by = "b"\n'
    assert "'a' ends on 2026-12-31. Use 'b' instead." in said(text)
    assert "ends on" not in said(text, day=date(2026, 1, 1))


def test_a_row_of_ones_own_that_has_ended_is_an_error_with_file_key_value_and_way_out():
    settings = validate_text(BASE.format(more="") + "sunset = 2026-11-25\n", "team.toml")
    (sentence,) = ended(settings, DAY)
    for told in ("team.toml", "'a'", "sunset = 2026-11-25", "Remove the row"):
        assert told in sentence
    assert ended(settings, date(2026, 11, 24)) == []


def test_a_built_in_row_that_has_ended_is_told_and_stops_nothing():
    settings = validate_text("", "t")
    day = date(2100, 1, 1)
    assert ended(settings, day) == []
    environ = {row.api_key_env: "k" for row in settings.deployments if row.api_key_env}
    assert "The built-in deployment 'gpt-5.1' ended on 2027-04-01" in said("", environ, day=day)


BUDGET = '[[budgets]]\nname = "b"\nusd = 0.001\nper = "day"\n'


def test_a_budget_below_one_long_answer_is_told():
    assert "smaller max_tokens" in said(BASE.format(more="") + BUDGET)
    assert "Budget" not in said(BASE.format(more="") + BUDGET.replace("0.001", "1"))
    other = BASE.format(more="") + BASE.partition("{more}")[2].replace('"a"', '"b"')
    assert "'a'" not in said(other + BUDGET + 'deployments = ["b"]')


def test_a_budget_over_a_row_without_a_price_is_told():
    unpriced = BASE.format(more="").replace("usd_per_million_output = 2", "")
    assert "nobody can tell what it costs" in said(unpriced + BUDGET)
