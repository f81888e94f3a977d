"""One promotion at a time: a lock that the system gives back when its holder ends, however it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from serving.errors import ConfigurationError

# Never deleted: whoever waits has opened this very file.
LOCK = ".rollout.lock"
_POLL_S = 0.05

if sys.platform == "win32":
    import msvcrt

    def _taken(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _taken(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def one_at_a_time(models: Path, timeout_s: float) -> Iterator[None]:
    """Keep others from changing the rollout of a folder meanwhile.

    Raise ConfigurationError where another still does after `timeout_s`, OSError where the folder cannot be
    written.
    """
    with (models / LOCK).open("ab") as file:
        deadline = time.monotonic() + timeout_s
        while not _taken(file):
            if time.monotonic() >= deadline:
                raise ConfigurationError(
                    f"Another promotion or rollback in {models} is not done after {timeout_s:g} s. "
                    "Nothing has changed: try again when it is (it holds "
                    f"{models / LOCK}; `lsof` tells who that is)."
                )
            time.sleep(_POLL_S)
        yield
