from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.tiers import DEFAULT_TIERS, expected_tier, required_tier, tier_probabilities

shares = st.floats(0.0, 1.0)
sufficiencies = st.lists(shares, min_size=1, max_size=5).map(lambda found: (*sorted(found), 1.0))


@given(sufficiencies)
def test_probabilities_of_the_tiers_are_a_distribution(sufficiency):
    probabilities = tier_probabilities(sufficiency)
    assert min(probabilities) >= 0.0
    assert sum(probabilities) == pytest.approx(1.0)


@given(sufficiencies, shares, shares)
def test_a_stricter_threshold_never_asks_for_a_cheaper_tier(sufficiency, one, other):
    tiers = [str(place) for place in range(len(sufficiency))]
    loose, strict = sorted((one, other))
    assert int(required_tier(sufficiency, tiers, loose)) <= int(required_tier(sufficiency, tiers, strict))


def test_a_tier_that_is_just_enough_is_enough():
    assert required_tier((0.5, 0.5, 1.0)) == "economy"
    assert required_tier((0.0, 0.0, 1.0)) == "premium"


def test_the_expected_tier_is_a_place_on_the_scale():
    assert expected_tier((1.0, 1.0, 1.0)) == 0.0
    assert expected_tier((0.0, 0.0, 1.0)) == len(DEFAULT_TIERS) - 1


def test_the_scale_brings_no_heavy_library():
    heavy = "{'numpy', 'onnxruntime', 'tokenizers'}"
    code = f"import sys, classifier.tiers; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
