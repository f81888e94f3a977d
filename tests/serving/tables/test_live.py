"""The tables notice what deployments do, shown with a clock that the test turns."""

from __future__ import annotations

import pytest

from serving.records import Attempt, Outcome, Usage
from serving.routing.catalog import Catalog, Deployment
from serving.tables.live import LiveTables
from serving.tables.watched import Habits


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def tables(clock, **settings):
    row = Deployment("a", "a", "demo", "economy", {}, first_token_ms=100.0, output_tokens_per_second=100.0)
    habits = Habits(failure_threshold=3, cooldown_s=10.0, **settings)
    return LiveTables(Catalog({"a": row}), habits, clock=clock, wall=clock)


def outcome(status="ok", error=None, latency_ms=600.0, first_ms=100.0, tokens=50, deployment="a"):
    attempt = Attempt(deployment, status, latency_ms, error=error)
    return Outcome(
        "d", 0.0, status, deployment, True, Usage(1, tokens), 0.0, first_ms, latency_ms, (attempt,)
    )


def test_the_prior_stands_until_something_is_seen():
    state = tables(Clock()).snapshot().states["a"]
    assert (state.first_token_ms, state.output_tokens_per_second) == (100.0, 100.0)


def test_a_snapshot_is_the_same_object_until_something_changes():
    live = tables(Clock())
    first = live.snapshot()
    assert live.snapshot() is first
    live.record(outcome())
    assert live.snapshot() is not first


def test_a_deployment_that_slows_down_looks_slower_within_twenty_requests():
    live = tables(Clock())
    for _ in range(20):
        live.record(outcome(latency_ms=6_000.0, first_ms=1_000.0))
    state = live.snapshot().states["a"]
    assert state.first_token_ms > 800.0
    assert state.output_tokens_per_second < 30.0


def test_one_answer_that_comes_at_once_does_not_make_a_deployment_look_fast():
    live = tables(Clock())
    live.record(outcome(latency_ms=100.1, first_ms=100.0))
    assert live.snapshot().states["a"].output_tokens_per_second < 125.0


def test_failures_in_a_row_open_the_breaker_and_time_closes_it_again():
    clock = Clock()
    live = tables(clock)
    for _ in range(3):
        live.record(outcome("error", "upstream"))
    assert "failing" in live.snapshot().states["a"].unavailable
    clock.now_s = 10.0
    assert live.snapshot().states["a"].unavailable is None
    live.record(outcome("error", "upstream"))
    assert live.snapshot().states["a"].unavailable
    # twice as long after a disappointment, then two answers are believed
    clock.now_s = 29.9
    assert live.snapshot().states["a"].unavailable
    clock.now_s = 30.0
    live.record(outcome())
    live.record(outcome())
    live.record(outcome("error", "upstream"))
    assert live.snapshot().states["a"].unavailable is None


@pytest.mark.parametrize("error", ["invalid_request", "context_length", "content_filter"])
def test_the_callers_own_errors_say_nothing_about_the_deployment(error):
    live = tables(Clock())
    for _ in range(9):
        live.record(outcome("error", error))
    assert live.snapshot().states["a"].unavailable is None


def test_a_caller_who_leaves_says_nothing_about_the_deployment():
    live = tables(Clock())
    for _ in range(9):
        live.record(outcome("cancelled"))
    assert live.snapshot().states["a"].unavailable is None


def test_time_lost_on_failed_attempts_is_not_held_against_the_one_that_answered():
    live = tables(Clock())
    attempts = (Attempt("b", "error", 5_000.0, "timeout"), Attempt("a", "ok", 600.0))
    live.record(Outcome("d", 0.0, "ok", "a", True, Usage(1, 50), 0.0, 5_100.0, 5_600.0, attempts))
    state = live.snapshot().states["a"]
    assert state.first_token_ms == pytest.approx(100.0)
    assert state.output_tokens_per_second == pytest.approx(100.0)


def test_an_outcome_of_an_unknown_deployment_is_ignored():
    live = tables(Clock())
    live.record(outcome(deployment="gone"))
    assert list(live.snapshot().states) == ["a"]


def test_no_two_runs_name_a_snapshot_alike():
    catalog = Catalog({"a": Deployment("a", "a", "demo", "economy", {})})
    assert LiveTables(catalog).snapshot().version != LiveTables(catalog).snapshot().version


def test_failures_among_many_requests_at_once_are_not_failures_in_a_row():
    live = tables(Clock())
    for place in range(100):
        live.started(f"d{place}", "a", 0)
    for place in range(100):
        failed = Attempt("a", "error", 1.0, "upstream")
        # every fifth fails at once; of the others only the first byte has come
        live.ended(f"d{place}", failed if place % 5 == 0 else Attempt("a", "ok", 1.0))
    assert live.snapshot().states["a"].unavailable is None


def test_a_deployment_whose_streams_all_break_in_the_middle_is_left_alone():
    live = tables(Clock())
    for place in range(30):
        live.started(f"d{place}", "a", 0)
        live.ended(f"d{place}", Attempt("a", "ok", 1.0))
        broken = (Attempt("a", "error", 1.0, "upstream"),)
        live.record(
            Outcome(f"d{place}", 0.0, "error", "a", True, Usage(), None, 1.0, 9.0, broken, "upstream")
        )
    assert "failing" in live.snapshot().states["a"].unavailable


def test_an_answered_stream_counts_once():
    live = tables(Clock())
    for place in range(3):
        live.started(f"d{place}", "a", 0)
        live.ended(f"d{place}", Attempt("a", "ok", 1.0))
        answered = (Attempt("a", "ok", 1.0),)
        live.record(Outcome(f"d{place}", 0.0, "ok", "a", True, Usage(1, 50), 0.0, 1.0, 9.0, answered))
    live.ended("d9", Attempt("a", "error", 1.0, "upstream"))
    # three answers and a failure, of eighteen attempts at least
    assert live.snapshot().states["a"].error_rate == pytest.approx(1 / 18)


def test_streams_of_many_that_break_off_one_after_the_other_do_not_shut_a_deployment():
    live = tables(Clock())
    for place in range(100):
        live.started(f"d{place}", "a", 0)
        live.ended(f"d{place}", Attempt("a", "ok", 1.0))
    for place in range(8):
        broken = (Attempt("a", "error", 1.0, "upstream"),)
        live.record(
            Outcome(f"d{place}", 0.0, "error", "a", True, Usage(), None, 1.0, 9.0, broken, "upstream")
        )
    assert live.snapshot().states["a"].unavailable is None
