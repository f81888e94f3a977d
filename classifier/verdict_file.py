"""`<version>.verdict.json` beside an artifact: whether it may answer, and of which bytes that was said.

The file is the whole contract between who judges and who promotes; docs/retraining.md shows its fields. It
holds for one artifact alone: it names the SHA-256 of the artifact's manifest, which names those of its files.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classifier.artifact import MANIFEST, sha256

SCHEMA = "weighbridge.verdict/1"


class VerdictError(ValueError):
    """A verdict that says nothing of an artifact; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison with its figures: what was measured of the candidate, and the bound it had to keep.

    `champion` is the same figure of the champion; `low` and `high` are the ends of the interval of what is
    compared, `rows` on how many rows. Each of them is None where it does not apply. `rule` says it in words.
    """

    name: str
    passed: bool
    candidate: float
    bound: float
    champion: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All checks of one artifact, told by the SHA-256 of its manifest, beside one champion or none."""

    version: str
    manifest_sha256: str
    champion: str | None
    champion_manifest_sha256: str | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Return whether the artifact may be promoted: every check passed, and there is one at least."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[str, ...]:
        """Return the names of the checks that failed."""
        return tuple(check.name for check in self.checks if not check.passed)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as it stands in its file."""
        return {"schema": SCHEMA, "passed": self.passed, **asdict(self)}


def verdict_file(models: Path, version: str) -> Path:
    """Return where the verdict of an artifact stands."""
    return models / f"{version}.verdict.json"


def manifest_sha256(artifact: Path) -> str:
    """Return what ties a verdict to an artifact's folder."""
    return sha256(artifact / MANIFEST)


def write_verdict(models: Path, verdict: Verdict) -> Path:
    """Put a verdict in its place, whole or not at all; return the file."""
    file = verdict_file(models, verdict.version)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        unfinished.write_text(json.dumps(verdict.as_dict(), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file


def read_verdict(models: Path, version: str) -> Verdict:
    """Return the verdict that was passed on this very artifact; raise VerdictError where there is none."""
    file = verdict_file(models, version)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VerdictError(f"there is no verdict ({file}).") from None
    except (OSError, ValueError) as error:
        raise VerdictError(f"its verdict {file} cannot be read ({error}).") from error
    verdict = _parsed(found, file)
    try:
        sealed = manifest_sha256(models / version)
    except OSError as error:
        raise VerdictError(f"it has no {MANIFEST} ({error.strerror}).") from error
    if (verdict.version, verdict.manifest_sha256) != (version, sealed):
        raise VerdictError(
            f"its verdict {file} is of another artifact ({verdict.version}, manifest "
            f"{verdict.manifest_sha256[:12]}…; this one has {sealed[:12]}…)."
        )
    return verdict


def against(models: Path, version: str) -> str | None:
    """Return what keeps an artifact from being promoted, as a clause that follows its name, or None."""
    try:
        verdict = read_verdict(models, version)
    except VerdictError as error:
        return str(error)
    return None if verdict.passed else f"its verdict has not passed ({', '.join(verdict.failed)})."


def _parsed(found: Any, file: Path) -> Verdict:
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        told = found.get("schema") if isinstance(found, dict) else None
        raise VerdictError(f"{file} is no verdict of this Weighbridge (schema {told!r}, not {SCHEMA!r}).")
    try:
        checks = tuple(_check(one) for one in found["checks"])
        verdict = Verdict(
            str(found["version"]),
            str(found["manifest_sha256"]),
            found["champion"],
            found["champion_manifest_sha256"],
            checks,
        )
        said = found["passed"]
    except (KeyError, TypeError, ValueError) as error:
        raise VerdictError(f"its verdict {file} is damaged at {error}.") from error
    if said is not verdict.passed:
        raise VerdictError(f"its verdict {file} is damaged: passed is {said!r}, its checks say otherwise.")
    return verdict


def _check(found: Mapping[str, Any]) -> Check:
    check = Check(**found)
    if not isinstance(check.passed, bool) or not math.isfinite(check.candidate):
        raise ValueError(check.name)
    return check
