"""Callers have a key each, and names that exist; every mistake is told at start."""

from __future__ import annotations

import pytest

from serving.errors import ConfigurationError
from serving.settings import build_callers, build_catalog
from serving.settings.load import validate_text


def row(**fields):
    given = {"name": "a", "api_key_env": "A_KEY"} | fields
    return "[[callers]]\n" + "\n".join(f"{key} = {value!r}" for key, value in given.items())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (row(deny=["demo-econmy"]), "caller 'a', deny: 'demo-econmy' is neither a deployment nor a model."),
        (row(minimum_tier="premum"), "caller 'a', minimum_tier = 'premum': 'premum' is not known."),
        (row(minimum_tier="premium", maximum_tier="economy"), "nothing could answer"),
        (row(compliance=["gdrp"]), "Did you mean 'gdpr'?"),
        (row(allow=["demo-economy"], deny=["demo-economy"]), "stands in allow and in deny"),
        (row(max_cost_usd=0), "caller 'a', max_cost_usd = 0"),
        ('[[callers]]\nname = "a"\napi_key_env = "A"\nmax_cost_usd = nan', "must be a finite number"),
        (row() + "\n" + row(), "callers: the name 'a' is used 2 times"),
        (row(max_cost=1), "caller 'a', max_cost: unknown key. Did you mean 'max_cost_usd'?"),
        ("callers = 3", "must be rows, each under a line [[callers]]"),
    ],
)
def test_a_mistake_in_a_caller_is_told_with_its_key_and_the_way_out(text, told):
    with pytest.raises(ConfigurationError) as raised:
        validate_text(text, "weighbridge.toml")
    assert told in raised.value.message


def callers(text, **environ):
    settings = validate_text(text, "weighbridge.toml")
    return build_callers(settings, environ, build_catalog(settings, environ))


def test_a_caller_without_a_key_in_the_environment_is_nobody():
    assert callers(row()) == {}


def test_two_callers_with_one_key_are_refused_without_showing_it():
    text = row() + "\n" + row(name="b", api_key_env="B_KEY")
    with pytest.raises(ConfigurationError) as raised:
        callers(text, A_KEY="same", B_KEY="same")
    assert "'a' and 'b'" in raised.value.message
    assert "same'" not in raised.value.message


def test_a_model_stands_for_its_deployments():
    (caller,) = callers(row(allow=["openai/gpt-oss-20b"]), A_KEY="k", GROQ_API_KEY="g").values()
    assert caller.limits.allow == {"groq-gpt-oss-20b"}


def test_a_pin_to_what_is_switched_off_lets_nothing_else_answer():
    (caller,) = callers(row(pin=["gpt-5.1"]), A_KEY="k").values()
    assert caller.limits.pin == ("gpt-5.1",)
