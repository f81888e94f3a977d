"""An explanation is a sum that a person can check."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
from hypothesis import given

from serving.routing.explanation import as_dict, as_text
from serving.routing.request import Limits
from serving.routing.router import decide
from serving.routing.telling import told_in_full
from tests.serving.routing.strategies import worlds
from tests.serving.routing.test_router import LARGE, REQUEST, SMALL, decided


def test_the_printed_parts_add_up_to_the_printed_total():
    for line in as_text(decided(SMALL, LARGE)).splitlines():
        amounts = [float(found) for found in re.findall(r"\$([0-9.]+)", line)]
        if amounts:
            assert abs(sum(amounts[:-1]) - amounts[-1]) <= 2e-5


def test_every_deployment_is_told_and_only_the_first_is_chosen():
    gdpr = replace(REQUEST, limits=Limits(compliance=frozenset({"gdpr"})))
    text = as_text(decided(SMALL, replace(LARGE, compliance=frozenset({"gdpr"})), request=gdpr))
    assert "small   not cleared for gdpr" in text
    assert text.count("chosen") == 1


@given(worlds())
def test_every_decision_can_be_written_as_json_and_read_by_a_person(world):
    decision = decide(*world)
    assert msgspec.json.decode(msgspec.json.encode(as_dict(decision)))["decision_id"] == "dec_1"
    assert as_text(decision)
    assert as_text(decision) in told_in_full(as_dict(decision))


def test_an_explanation_of_an_earlier_version_is_told_without_what_it_lacks():
    explanation = as_dict(decided(SMALL, LARGE))
    for name in ("filters", "needs", "reserved_output_tokens", "control_draw", "day"):
        del explanation[name]
    assert as_text(decided(SMALL, LARGE)) in told_in_full(explanation)


def test_what_was_asked_and_which_filters_acted_is_told():
    asked = Limits(compliance=frozenset({"gdpr", "eu"}), max_cost_usd=0.5, pin=("large", "small"))
    request = replace(REQUEST, limits=asked, only=frozenset({"small"}))
    explanation = as_dict(decided(SMALL, LARGE, request=request))
    assert explanation["needs"] == {
        "compliance": ["eu", "gdpr"],
        "max_cost_usd": 0.5,
        "pin": ("large", "small"),
        "model": ["small"],
    }
    assert explanation["filters"] == {"compliance": 1, "not_requested": 1}
    text = told_in_full(msgspec.json.decode(msgspec.json.encode(explanation)))
    assert "asked for   max_cost_usd 0.5; compliance eu, gdpr; pin large, small; model small" in text
    assert "filters     compliance rejected 1, not_requested rejected 1" in text
