"""The capability matrix: what `weighbridge verify` has found, laid over what the catalog declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from serving.settings.kept import read_kept, write_kept

SCHEMA = "weighbridge.capabilities/1"

# The probe of a long prompt is about the window, not about a capability.
LONG_CONTEXT = "long_context"


# What no row need declare, for there is hardly a deployment that cannot.
_OF_ALL = ("streaming", "stop", "system_prompt")


class Finding(Struct, frozen=True):
    """What one probe found: it works, it does not, or (None) nobody can tell; and why."""

    works: bool | None
    note: str = ""


class Verified(Struct, frozen=True):
    """What was found of one deployment, as it was addressed at the time."""

    address: str
    verified_at: str
    findings: dict[str, Finding]
    long_context_tokens: int | None = None
    tasks_passed: int | None = None
    tasks: int | None = None


class Matrix(Struct, frozen=True):
    """All that was found, by the deployment's name."""

    schema: str = SCHEMA
    deployments: dict[str, Verified] = {}


def address(adapter: str, base_url: str, model: str) -> str:
    """Return what a finding is about: another model or another host has to be verified anew."""
    return f"{adapter} {base_url.rstrip('/')} {model}"


def read(path: Path) -> Matrix:
    """Return the matrix of a file, empty where there is none; raise ConfigurationError for anything else."""
    return read_kept(path, Matrix, "catalog.verified", "weighbridge verify")


def write(path: Path, found: Mapping[str, Verified]) -> None:
    """Put findings over those of the same deployments in the file; nobody ever sees half of it."""
    write_kept(path, Matrix(deployments=read(path).deployments | dict(found)))


def capabilities(declared: frozenset[str], found: Verified | None, known: frozenset[str]) -> frozenset[str]:
    """Return what is declared, without what does not work, with what does."""
    if found is None:
        return declared
    told = {name: finding.works for name, finding in found.findings.items() if name in known}
    proven = {name for name, works in told.items() if works}
    return (declared | proven) - {name for name, works in told.items() if works is False}


def lacks(found: Verified | None) -> frozenset[str]:
    """Return what does not work of what every deployment is thought to do, whatever it declares."""
    findings = found.findings if found is not None else {}
    return frozenset(name for name in _OF_ALL if name in findings and findings[name].works is False)


def window_tokens(declared: int | None, found: Verified | None) -> int | None:
    """Return the declared window, or less than the length of prompt that was found to fail."""
    long = found.findings.get(LONG_CONTEXT) if found is not None else None
    if found is None or long is None or long.works is not False or found.long_context_tokens is None:
        return declared
    return min(declared or found.long_context_tokens, found.long_context_tokens - 1)
