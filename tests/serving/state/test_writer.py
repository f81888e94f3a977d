"""Nobody waits for the log, nothing is lost without being counted, and a fault passes without a trace."""

from __future__ import annotations

import logging
import sqlite3
import threading

import pytest

from serving.state.interface import LogUnavailableError
from serving.state.sqlite import SQLiteLog
from serving.state.writer import LogWriter
from tests.serving.state.records import decision, feedback, outcome


class Shelf:
    """A log in memory that can be made to fail, to hold still, or to reject a record for good."""

    def __init__(self):
        self.batches = []
        self.failures_left = 0
        self.poison = set()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def write(self, records):
        self.entered.set()
        self.gate.wait(10)
        if self.failures_left:
            self.failures_left -= 1
            raise LogUnavailableError("database or disk is full")
        if any(record.decision_id in self.poison for record in records):
            raise OverflowError("too large")
        self.batches.append(list(records))

    @property
    def ids(self):
        return [record.decision_id for batch in self.batches for record in batch]


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def start(shelf):
    writers = []

    def build(queue_size=100, flush_interval_ms=5.0, batch_size=10):
        writer = LogWriter(
            shelf, queue_size=queue_size, flush_interval_ms=flush_interval_ms, batch_size=batch_size
        )
        writer.start()
        writers.append(writer)
        return writer

    yield build
    shelf.gate.set()
    for writer in writers:
        writer.close(1.0)


def test_nothing_happens_before_start(shelf):
    writer = LogWriter(shelf, queue_size=5, flush_interval_ms=1.0, batch_size=1)
    assert writer.append(decision(1))
    assert not writer.is_running()
    assert (writer.queued, shelf.batches) == (1, [])


def test_records_are_stored_in_the_order_they_came(shelf, start):
    writer = start()
    for number in range(95):
        writer.append(decision(number))
    assert writer.flush(5.0)
    assert shelf.ids == [f"dec_{number}" for number in range(95)]
    assert (writer.queued, writer.written, writer.dropped) == (0, 95, 0)


def test_no_batch_is_longer_than_set(shelf, start):
    writer = start(batch_size=10, flush_interval_ms=10_000)
    for number in range(35):
        writer.append(decision(number))
    writer.flush(5.0)
    assert max(map(len, shelf.batches)) <= 10


def test_a_full_batch_does_not_wait_for_the_interval(shelf, start):
    writer = start(batch_size=3, flush_interval_ms=60_000)
    for number in range(3):
        writer.append(decision(number))
    assert shelf.entered.wait(5.0)


def test_flush_does_not_wait_for_the_interval(shelf, start):
    writer = start(flush_interval_ms=60_000)
    writer.append(decision(1))
    assert writer.flush(5.0)
    assert shelf.ids == ["dec_1"]


def test_flush_of_nothing_returns_at_once(start):
    assert start().flush(0.0)


def test_flush_says_so_when_time_runs_out(shelf, start):
    writer = start()
    shelf.gate.clear()
    writer.append(decision(1))
    assert not writer.flush(0.05)


def test_a_full_queue_drops_and_counts_by_kind_without_waiting(shelf, start):
    writer = start(queue_size=3, batch_size=1)
    shelf.gate.clear()
    kept = [writer.append(record) for record in (decision(1), decision(2), outcome(1))]
    lost = [writer.append(record) for record in (decision(3), outcome(2), outcome(3), feedback(1))]
    assert kept == [True] * 3
    assert lost == [False] * 4
    assert writer.dropped_by_kind == {"decision": 1, "outcome": 2, "feedback": 1}
    assert (writer.dropped, writer.queued) == (4, 3)
    shelf.gate.set()
    assert writer.flush(5.0)
    assert writer.append(decision(4))


def test_a_log_that_fails_for_a_while_loses_nothing(shelf, start):
    shelf.failures_left = 3
    writer = start()
    for number in range(25):
        writer.append(decision(number))
    assert writer.flush(10.0)
    assert shelf.ids == [f"dec_{number}" for number in range(25)]
    assert (writer.errors, writer.dropped) == (3, 0)


def test_a_burst_of_failures_is_told_once_and_never_what_was_in_the_records(shelf, start, caplog):
    shelf.failures_left = 4
    writer = start()
    with caplog.at_level(logging.WARNING):
        writer.append(decision(1, prompt="my secret prompt"))
        writer.flush(10.0)
    told = [record.getMessage() for record in caplog.records]
    assert sum("disk is full" in line for line in told) == 1
    assert sum("again after 4 failures" in line for line in told) == 1
    assert not any("secret" in line for line in told)


def test_a_record_that_no_log_can_take_is_dropped_alone(shelf, start):
    shelf.poison = {"dec_7"}
    writer = start(batch_size=20, flush_interval_ms=10_000)
    for number in range(20):
        writer.append(decision(number))
    assert writer.flush(5.0)
    assert shelf.ids == [f"dec_{number}" for number in range(20) if number != 7]
    assert (writer.written, writer.dropped_by_kind) == (19, {"decision": 1})


def test_close_stores_what_waits_and_stops(shelf, start):
    writer = start(flush_interval_ms=60_000)
    for number in range(42):
        writer.append(decision(number))
    assert writer.close(5.0)
    assert len(shelf.ids) == 42
    assert not writer.is_running()


def test_close_counts_what_could_not_be_stored(shelf, start):
    shelf.failures_left = 10**9
    writer = start()
    for number in range(15):
        writer.append(decision(number))
    assert not writer.close(0.2)
    assert (writer.dropped, writer.queued, shelf.ids) == (15, 0, [])


def test_close_returns_in_time_from_a_log_that_hangs(shelf, start):
    shelf.gate.clear()
    writer = start(batch_size=1)
    writer.append(decision(1))
    writer.append(decision(2))
    assert not writer.close(0.1)
    assert writer.dropped == 2


def test_what_comes_after_close_is_counted_as_dropped(start):
    writer = start()
    writer.close(1.0)
    assert not writer.append(decision(1))
    assert writer.dropped == 1


def test_closing_twice_is_harmless(start):
    writer = start()
    writer.append(decision(1))
    assert writer.close(1.0)
    assert writer.close(1.0)
    assert writer.written == 1


def test_every_record_of_many_threads_is_stored_or_counted(shelf, start):
    writer = start(queue_size=500)

    def produce(thread):
        for number in range(400):
            writer.append(decision(thread * 1_000 + number))

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close(10.0)
    assert writer.written + writer.dropped == 1_600
    assert len(shelf.ids) == len(set(shelf.ids)) == writer.written


def test_a_locked_database_is_waited_for(tmp_path):
    log = SQLiteLog(tmp_path / "decisions.db")
    log._writer.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(log.path)
    other.execute("BEGIN EXCLUSIVE")
    writer = LogWriter(log, queue_size=10, flush_interval_ms=1.0, batch_size=5)
    writer.start()
    writer.append(decision(1))
    assert not writer.flush(0.1)
    other.rollback()
    other.close()
    assert writer.flush(10.0)
    assert log.find("dec_1")
    assert writer.errors >= 1
    writer.close(1.0)
    log.close()
