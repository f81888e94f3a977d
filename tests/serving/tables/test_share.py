"""What is dearest to misroute is shifted first, smoothly and without a lottery."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.tables.share import TrafficShare


def sent(costs, *, cap=0.6, window=100, least=20, wants=lambda cost: True):
    """Send prompts of these misroute costs; return which of them went to the lowest tier."""
    share = TrafficShare(cap=cap, window=window, least=least)
    went = []
    for cost in costs:
        wanted = wants(cost)
        goes = wanted and not share.freeze().shifts(cost)
        share.record(cost, wanted=wanted, went=goes)
        went.append(goes)
    return went


costs = st.lists(st.sampled_from([0.0, 0.001, 0.002, 0.005, 0.01]) | st.floats(0, 0.02), max_size=400)


@given(costs, st.sampled_from([0.0, 0.3, 0.6, 0.9]))
def test_over_a_whole_window_the_share_stays_within_the_cap(costs, cap):
    window, least = 50, 10
    went = sent(costs, cap=cap, window=window, least=least)
    for end in range(least + 3 * window, len(went) + 1):
        assert sum(went[end - window : end]) <= cap * window + 1e-9


@given(costs)
def test_nothing_is_shifted_before_there_are_enough_decisions_nor_without_a_cap(costs):
    assert all(sent(costs[:20]))
    assert all(sent(costs, cap=1.0))


def test_the_dearest_to_misroute_are_shifted_and_the_cap_is_used():
    source = random.Random(7)
    prompts = [source.random() for _ in range(2_000)]
    went = sent(prompts, window=200)[500:]
    prompts = prompts[500:]
    assert sum(went) / len(went) == pytest.approx(0.6, abs=0.03)
    shifted = [cost for cost, goes in zip(prompts, went, strict=True) if not goes]
    kept = [cost for cost, goes in zip(prompts, went, strict=True) if goes]
    # a threshold, up to the sway of a sample of 200: not a lottery
    assert sorted(shifted)[len(shifted) // 20] > sorted(kept)[-len(kept) // 5]


def test_traffic_of_one_kind_is_shifted_evenly():
    went = sent([0.004] * 300, window=100, least=20)[20:]
    for start in range(0, len(went) - 10, 10):
        assert 5 <= sum(went[start : start + 10]) <= 7


def test_traffic_that_stays_below_the_cap_by_itself_is_left_alone():
    prompts = [0.001 if place % 2 else 0.015 for place in range(500)]
    went = sent(prompts, wants=lambda cost: cost < 0.01)
    assert went == [cost < 0.01 for cost in prompts]
