"""Every change of the rollout, a line each, the newest last: what `rollback` undoes, and who did it why.

Lines are only ever added.
"""

from __future__ import annotations

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
    with (models / HISTORY).open("a", encoding="utf-8") as history:
        history.write(line + "\n")
        history.flush()
        os.fsync(history.fileno())


def standing(models: Path) -> list[dict[str, Any]]:
    """Return the promotions that no rollback has undone, the oldest first."""
    try:
        lines = (models / HISTORY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            if entry["action"] == "promote":
                found.append(entry)
            elif found:
                found.pop()
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{models / HISTORY}, line {number}: is damaged ({error}).") from None
    return found


def _who() -> str:
    """Return the account that this runs under; its number where it has no name, as in many containers."""
    if sys.platform == "win32":
        return getpass.getuser()
    try:
        # not by the environment, where anybody may write another name
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
