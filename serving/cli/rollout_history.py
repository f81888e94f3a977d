"""Every change of the rollout, a line each, the newest last: what `rollback` undoes, and who did it why.

Lines are only ever added, each of them whole: what a full disk or a kill has left of one goes with the next.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from classifier.rollout_file import Plan
from serving.errors import ConfigurationError

if sys.platform != "win32":
    import pwd

HISTORY = "rollout.history.jsonl"


def record(models: Path, before: Plan, after: Plan, **what: Any) -> None:
    """Add a change with when and by whom; raise OSError where it cannot be kept."""
    line = json.dumps(
        {"at": time.time(), "who": _who(), **what, "before": asdict(before), "after": asdict(after)}
    )
    file = models / HISTORY
    whole = _whole(file)
    try:
        with file.open("ab") as history:
            history.truncate(whole)
            history.write(f"{line}\n".encode())
            history.flush()
            os.fsync(history.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(file, whole)
        raise


def standing(models: Path) -> list[dict[str, Any]]:
    """Return the promotions that no rollback has undone, the oldest first."""
    file = models / HISTORY
    found: list[dict[str, Any]] = []
    for number, line in enumerate(_read(file)[: _whole(file)].splitlines(), start=1):
        try:
            entry = json.loads(line)
            if entry["action"] == "promote":
                found.append(entry)
            elif found:
                found.pop()
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{file}, line {number}: is damaged ({error}). Remove it to go on without it: only that "
                "change cannot be undone then."
            ) from None
    return found


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def _whole(file: Path) -> int:
    """Return how many bytes of the file are whole lines: a line that never ended was never made."""
    return _read(file).rfind(b"\n") + 1


def _who() -> str:
    """Return the account that this runs under; its number where it has no name, as in many containers."""
    if sys.platform == "win32":
        return getpass.getuser()
    try:
        # not by the environment, where anybody may write another name
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
