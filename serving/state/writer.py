"""The queue before the log: a request hands its record over and goes on, one thread writes in batches."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from serving.records import DecisionRecord, Outcome, Record
from serving.state.interface import DecisionLog, LogUnavailableError

_log = logging.getLogger(__name__)

_FIRST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 5.0


class LogWriter:
    """Writes behind: `append` never waits, and every record that is not stored is counted.

    At most `queue_size` records wait, the batch being written included. A batch is written as soon as
    `batch_size` records wait, or `flush_interval_ms` after the first of them came.
    """

    def __init__(
        self, log: DecisionLog, *, queue_size: int, flush_interval_ms: float, batch_size: int
    ) -> None:
        self._log = log
        self._queue_size = queue_size
        self._flush_interval_s = flush_interval_ms / 1000.0
        self._batch_size = batch_size
        self._queue: deque[Record] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._accepted = 0
        self._settled = 0
        self._written = 0
        self._errors = 0
        self._dropped: Counter[str] = Counter()
        self._flush_up_to = 0
        self._is_dropping = False
        self._closed = False
        self._give_up_at_s = math.inf

    @property
    def queued(self) -> int:
        """Return how many records wait, those being written included."""
        return self._accepted - self._settled

    @property
    def written(self) -> int:
        """Return how many records were stored."""
        return self._written

    @property
    def dropped(self) -> int:
        """Return how many records are lost: queue full, not storable, or left over at the end."""
        return sum(self.dropped_by_kind.values())

    @property
    def dropped_by_kind(self) -> Mapping[str, int]:
        """Return the lost records as decision, outcome and feedback."""
        with self._changed:
            return dict(self._dropped)

    @property
    def errors(self) -> int:
        """Return how many attempts to write failed."""
        return self._errors

    def is_running(self) -> bool:
        """Tell whether records are being taken and written."""
        return self._thread is not None and self._thread.is_alive() and not self._closed

    def start(self) -> None:
        """Start the thread that writes; call it once."""
        # a daemon, so that a process whose disk hangs can still end
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def append(self, record: Record) -> bool:
        """Queue a record without waiting; where the queue is full or closed, drop and count it."""
        with self._changed:
            if not self._closed and self.queued < self._queue_size:
                self._queue.append(record)
                self._accepted += 1
                if len(self._queue) in (1, self._batch_size):
                    self._changed.notify_all()
                return True
            self._dropped[_kind(record)] += 1
            first_of_burst, self._is_dropping = not self._is_dropping, True
        if first_of_burst:
            _log.error("The decision log's queue takes no more records: they are dropped and counted.")
        return False

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was queued before this call is stored or given up; False where time ran out."""
        with self._changed:
            target = self._accepted
            self._flush_up_to = max(self._flush_up_to, target)
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled >= target, timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Take nothing more, store what waits and stop; count what could not be stored in time."""
        with self._changed:
            self._closed = True
            self._give_up_at_s = min(self._give_up_at_s, time.monotonic() + timeout_s)
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)
        with self._changed:
            left = list(self._queue)
            self._queue.clear()
            self._settled += len(left)
            self._dropped.update(map(_kind, left))
            self._changed.notify_all()
        if left:
            _log.error("%d records of the decision log were not stored before the end.", len(left))
        return not left

    def _run(self) -> None:
        while not self._is_out_of_time() and (batch := self._next_batch()):
            self._store(batch)

    def _next_batch(self) -> list[Record]:
        """Wait until a batch is due, and return it without taking it off the queue; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._closed)
            self._changed.wait_for(self._is_due, self._flush_interval_s)
            return [self._queue[place] for place in range(min(len(self._queue), self._batch_size))]

    def _is_due(self) -> bool:
        return self._closed or len(self._queue) >= self._batch_size or self._flush_up_to > self._settled

    def _store(self, batch: Sequence[Record]) -> None:
        """Write a batch, as often as it takes; halve one that holds a record no log can take."""
        backoff_s = _FIRST_BACKOFF_S
        failures = 0
        while not self._is_out_of_time():
            try:
                self._log.write(batch)
            except LogUnavailableError as error:
                failures += 1
                self._failed(failures, f"{error}; trying again, new records wait in the queue")
                self._pause(backoff_s)
                backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
            except Exception as error:
                self._split(batch, error)
                return
            else:
                if failures:
                    _log.warning("The decision log is being written again after %d failures.", failures)
                self._settle(batch, stored=True)
                return

    def _split(self, batch: Sequence[Record], error: Exception) -> None:
        if len(batch) == 1:
            self._failed(1, f"a {_kind(batch[0])} cannot be stored ({type(error).__name__}), it is dropped")
            self._settle(batch, stored=False)
            return
        middle = len(batch) // 2
        self._store(batch[:middle])
        self._store(batch[middle:])

    def _settle(self, batch: Sequence[Record], *, stored: bool) -> None:
        """Take what is done with off the queue, and wake who waits for it."""
        with self._changed:
            # `close` may have given up on it, and counted it, while it was being written
            for _ in batch if self._queue else ():
                self._queue.popleft()
                self._settled += 1
            if stored:
                self._written += len(batch)
            else:
                self._dropped.update(map(_kind, batch))
            self._is_dropping = False
            self._changed.notify_all()

    def _failed(self, failures: int, told: str) -> None:
        self._errors += 1
        if failures == 1:
            _log.error("The decision log was not written: %s.", told)

    def _pause(self, backoff_s: float) -> None:
        """Wait before the next attempt, though never past the end."""
        with self._changed:
            left_s = self._give_up_at_s - time.monotonic()
            self._changed.wait(max(min(backoff_s, left_s), 0.0))

    def _is_out_of_time(self) -> bool:
        return time.monotonic() >= self._give_up_at_s


def _kind(record: Record) -> str:
    if isinstance(record, DecisionRecord):
        return "decision"
    return "outcome" if isinstance(record, Outcome) else "feedback"
