"""What is remembered of the last decisions, and for how long."""

from __future__ import annotations

import pytest

from serving.records import Outcome, Usage
from serving.routing.request import Turn
from serving.tables.lengths import OutputLengths
from serving.tables.recent import Recent


class Clock:
    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recent(clock):
    return Recent(OutputLengths(assumed_tokens=400), conversation_s=600, cache_s=60, clock=clock)


def outcome(decision_id, deployment, *, status="ok", output_tokens=10):
    usage = Usage(100, output_tokens)
    return Outcome(decision_id, 0.0, status, deployment, False, usage, None, None, 1.0)


def test_a_turn_is_warm_for_a_while_remembered_for_longer_and_then_forgotten(recent, clock):
    recent.decided("d1", "kind", "talk", "small", 100)
    assert recent.last_turn("talk") == Turn("small", 100, "d1")
    clock.now_s = 61
    assert recent.last_turn("talk") == Turn("small", 0, "d1")
    clock.now_s = 601
    assert recent.last_turn("talk") is None
    assert recent.last_turn("another") is None


def test_a_conversation_is_with_who_answered_not_with_who_was_to(recent):
    recent.decided("d1", "kind", "talk", "small", 100)
    recent.finished(outcome("d1", "large"))
    assert recent.last_turn("talk") == Turn("large", 100, "d1")


def test_lengths_are_learned_from_answers_of_the_same_kind_only(recent):
    for place in range(300):
        recent.decided(f"d{place}", "short", "", "small", 100)
        recent.finished(outcome(f"d{place}", "small"))
    assert recent.lengths.expected("short") < 60
    assert recent.lengths.expected("long") == 400


def test_what_failed_or_is_unknown_teaches_nothing(recent):
    recent.decided("d1", "short", "talk", "small", 100)
    recent.finished(outcome("d1", "large", status="error"))
    recent.finished(outcome("never decided", "large"))
    assert recent.lengths.expected("short") == 400
    assert recent.last_turn("talk") == Turn("small", 100, "d1")
