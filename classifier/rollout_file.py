"""`rollout.toml` in a folder of artifacts: which of them answers, which for a share, which only watches.

The file is the whole contract between who promotes and who serves. It is replaced whole, never half written.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from classifier.artifact import ROLLOUT, ArtifactError, rollout_table

_HEAD = "# Which artifact answers. `weighbridge promote` and `weighbridge rollback` write this file.\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """The champion answers, the canary in its place for a sticky share (0–1), the shadow only watches."""

    champion: str
    canary: str | None = None
    canary_share: float = 0.0
    shadow: str | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """Return every artifact of the plan, the champion first."""
        return tuple(name for name in (self.champion, self.canary, self.shadow) if name is not None)


def read_plan(models: Path) -> Plan:
    """Return what `rollout.toml` says; raise ArtifactError where it cannot be read or makes no sense."""
    found = rollout_table(models)
    known = [one.name for one in fields(Plan)]
    where = models / ROLLOUT
    if strange := sorted(found.keys() - set(known)):
        raise ArtifactError(f"{where}: unknown key {strange[0]!r}. Known: {', '.join(known)}.")
    for role in ("champion", "canary", "shadow"):
        if role in found and not is_version(found[role]):
            raise ArtifactError(f'{where}: {role} must name a folder beside it: {role} = "<version>".')
    share = found.get("canary_share", 0.0)
    if type(share) not in (int, float) or not math.isfinite(share) or not 0.0 <= share <= 1.0:
        raise ArtifactError(f"{where}: canary_share must be a number from 0 to 1, not {share!r}.")
    if "champion" not in found:
        raise ArtifactError(f'{where} must name the artifact that answers: champion = "<version>".')
    return plan_of(found)


def plan_of(found: dict[str, Any]) -> Plan:
    """Return a plan from its plain values."""
    return Plan(
        champion=found["champion"],
        canary=found.get("canary"),
        canary_share=float(found.get("canary_share") or 0.0),
        shadow=found.get("shadow"),
    )


def write_plan(models: Path, plan: Plan) -> None:
    """Replace `rollout.toml`; a reader sees the old file or the new one. Raise OSError where it cannot be."""
    lines = [
        f"{one.name} = {json.dumps(getattr(plan, one.name))}\n"
        for one in fields(Plan)
        if getattr(plan, one.name)
    ]
    unfinished = models / f".{ROLLOUT}.{os.getpid()}"
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(_HEAD + "".join(lines))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(models / ROLLOUT)
    finally:
        unfinished.unlink(missing_ok=True)


def is_version(name: object) -> bool:
    """Tell whether this can name an artifact's folder, and none elsewhere.

    >>> is_version("2026.11.2"), is_version("../elsewhere"), is_version(".."), is_version(7)
    (True, False, False, False)
    """
    if not isinstance(name, str) or name in ("", ".", ".."):
        return False
    return Path(name).name == name and name.isprintable()
