"""A folder of finished steps, so that a run that was killed goes on: each is there whole or not at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_KEY = re.compile(r"[0-9a-f]{64}")


class WorkTaken(RuntimeError):
    """Another run works in the same folder; the message says which, and the way out."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other runs out of a work folder meanwhile; the system gives it back however a run ends.

    Within one, the same again waits for nothing.
    """
    there = folder.resolve()
    there.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(there.with_name(f".{there.name}.lock"), timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as error:
        raise WorkTaken(
            f"Another retraining works in {folder}. Nothing has been changed: let it end, or give this one a "
            "folder of its own with --work."
        ) from error
    try:
        yield
    finally:
        lock.release()


class Work:
    """The steps of one run, kept under a key of everything that they depend on.

    What a run with another key has left is deleted: of many that were stopped, none would ever go on.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder / key
        self.folder.mkdir(parents=True, exist_ok=True)
        for other in folder.iterdir():
            if _KEY.fullmatch(other.name) and other.name != key:
                shutil.rmtree(other)

    def step(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the folder of a step; `make` fills it where it has not been done yet."""
        done = self.folder / name
        if not done.is_dir():
            # what a kill leaves unfinished lies beside it, and goes with the whole
            unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self.folder))
            make(unfinished)
            unfinished.rename(done)
        return done

    def clear(self) -> None:
        """Forget every step: what they were for is done."""
        shutil.rmtree(self.folder)
