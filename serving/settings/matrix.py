"""The capability matrix: what `weighbridge verify` has found, laid over what the catalog declares."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from serving.errors import ConfigurationError

SCHEMA = "weighbridge.capabilities/1"

# The probe of a long prompt is about the window, not about a capability.
LONG_CONTEXT = "long_context"


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
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Matrix)
    except FileNotFoundError:
        return Matrix()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"catalog.verified: {str(path)!r} cannot be read: {error}. Delete it and run: weighbridge verify"
        ) from None
    if found.schema != SCHEMA:
        raise ConfigurationError(
            f"catalog.verified: {str(path)!r} has schema {found.schema!r}, known here is {SCHEMA!r}. "
            "Delete it and run: weighbridge verify"
        )
    return found


def write(path: Path, found: Mapping[str, Verified]) -> None:
    """Put findings over those of the same deployments in the file; nobody ever sees half of it."""
    merged = Matrix(deployments=read(path).deployments | dict(found))
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(merged), indent=1) + b"\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def capabilities(declared: frozenset[str], found: Verified | None, known: frozenset[str]) -> frozenset[str]:
    """Return what is declared, without what does not work, with what does."""
    if found is None:
        return declared
    told = {name: finding.works for name, finding in found.findings.items() if name in known}
    proven = {name for name, works in told.items() if works}
    return (declared | proven) - {name for name, works in told.items() if works is False}


def window_tokens(declared: int | None, found: Verified | None) -> int | None:
    """Return the declared window, or less than the length of prompt that was found to fail."""
    long = found.findings.get(LONG_CONTEXT) if found is not None else None
    if found is None or long is None or long.works is not False or found.long_context_tokens is None:
        return declared
    return min(declared or found.long_context_tokens, found.long_context_tokens - 1)
