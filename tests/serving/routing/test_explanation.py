"""An explanation is a sum that a person can check."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
from hypothesis import given

from serving.routing.explanation import as_dict, as_text
from serving.routing.request import Limits
from serving.routing.router import decide
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
