"""A folder of finished steps, so that a run that was killed goes on: each is there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


class Work:
    """The steps of one run, kept under a key of everything that they depend on."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder / key
        self.folder.mkdir(parents=True, exist_ok=True)

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
