"""Waits that end in time: one timer of the event loop for all of them, so that a wait costs little.

`asyncio.timeout` makes and cancels a timer for each wait. A request waits three times, a stream for each
piece that comes, and nearly all of these waits end long before they are late.
"""

from __future__ import annotations

import asyncio
import math
import time
from types import TracebackType

# Where the timer rings later than this, the loop was kept busy or the process stood still; so long what came
# meanwhile then has to be taken in.
_OVERSLEPT_S = 0.02


class Deadlines:
    """All waits of one event loop; `within` bounds one of them."""

    def __init__(self) -> None:
        # one that has ended leaves; the timer stays, for it costs less to let it ring once for nothing
        self.waits: set[Wait] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at_s = math.inf
        self._overslept = False

    def within(self, seconds: float) -> Wait:
        """Return what a wait is to be done in: `with deadlines.within(5): await …` raises TimeoutError."""
        return Wait(self, seconds)

    def begin(self, wait: Wait) -> None:
        """Watch a wait; `Wait` calls it."""
        self.waits.add(wait)
        if wait.due_s < self._rings_at_s or wait.loop is not self._loop:
            self._ring_at(wait.due_s, wait.loop)

    def _ring_at(self, due_s: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if loop is not self._loop:
            # what is left of a loop that has ended
            self.waits = {wait for wait in self.waits if wait.loop is loop}
        self._loop, self._rings_at_s = loop, due_s
        self._timer = loop.call_later(due_s - time.monotonic(), self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = time.monotonic()
        late_s = now_s - self._rings_at_s
        self._timer, self._rings_at_s = None, math.inf
        self._overslept = late_s > _OVERSLEPT_S and not self._overslept
        if self._overslept:
            # an answer may have come in time that nobody has looked at yet
            self._ring_at(now_s + _OVERSLEPT_S, loop)
            return
        for wait in [wait for wait in self.waits if wait.due_s <= now_s]:
            self.waits.discard(wait)
            wait.give_up()
        if self.waits:
            self._ring_at(min(wait.due_s for wait in self.waits), loop)


class Wait:
    """One wait of one task, which is cancelled where it stands once the wait is late: then TimeoutError."""

    __slots__ = ("_cancelling", "_deadlines", "_seconds", "_task", "due_s", "is_late", "loop")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self.is_late = False

    def __enter__(self) -> Wait:
        """Begin to wait."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Only a task can wait.")
        self._task, self._cancelling = task, task.cancelling()
        self.loop = asyncio.get_running_loop()
        self.due_s = time.monotonic() + self._seconds
        self._deadlines.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the wait; who was cancelled for being late, and for nothing else, is told so."""
        if not self.is_late:
            self._deadlines.waits.discard(self)
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def give_up(self) -> None:
        """Cancel the task; `Deadlines` calls it."""
        self.is_late = True
        self._task.cancel()
