"""Runs the real `weighbridge` commands, each as a process of its own, as a person or a schedule would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.simulation.plan import SimulationError

# One thread each: what is small goes faster so, and two arms share a machine.
_QUIET = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    said: str


def command(*arguments: str) -> list[str]:
    """Return the command line of a sub-command, under the very Python that runs this."""
    return [sys.executable, "-m", "weighbridge", *arguments]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return what a command runs under: nobody's own settings and keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
    return {**kept, **_QUIET, **more}


def run(*arguments: str, folder: Path, keys: Mapping[str, str], log: Path) -> Done:
    """Run a sub-command to its end, and append what it said to a log."""
    done = subprocess.run(  # noqa: S603 - our own command line, no shell
        command(*arguments),
        cwd=folder,
        env=environment(keys),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    with log.open("a", encoding="utf-8") as told:
        told.write(f"$ weighbridge {' '.join(arguments)}\n{done.stdout}{done.stderr}→ {done.returncode}\n\n")
    return Done(done.returncode, done.stdout + done.stderr)


def must(*arguments: str, folder: Path, keys: Mapping[str, str], log: Path) -> str:
    """Run a sub-command; raise SimulationError where it fails."""
    done = run(*arguments, folder=folder, keys=keys, log=log)
    if done.status:
        last = "\n".join(done.said.strip().splitlines()[-5:])
        raise SimulationError(f"weighbridge {arguments[0]} failed ({done.status}): {last}\nAll of it: {log}")
    return done.said
