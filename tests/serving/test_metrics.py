"""Own counters and histograms say what the library's would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from serving.metrics import Counts, Times

BOUNDS = (0.1, 0.5, 2.0)


def told(*collectors):
    registry = CollectorRegistry()
    for one in collectors:
        registry.register(one)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([0.0, 0.1, 0.25, 0.5, 2.0, 7.0]))))
def test_a_histogram_and_a_counter_are_told_as_the_librarys_own(seen):
    theirs = Histogram("t", "Times", ["who"], buckets=BOUNDS, registry=None)
    counter = Counter("c", "Counted", ["who"], registry=None)
    ours, counts = Times("t", "Times", BOUNDS, ["who"]), Counts("c", "Counted", ["who"])
    for who, seconds in seen:
        theirs.labels(who).observe(seconds)
        counter.labels(who).inc(seconds)
        ours.observe((who,), seconds)
        counts.add((who,), seconds)
    assert told(ours, counts) == told(theirs, counter)


def test_a_histogram_without_labels_is_there_before_anything_was_seen():
    assert told(Times("t", "Times", BOUNDS, [])) == told(
        Histogram("t", "Times", buckets=BOUNDS, registry=None)
    )
