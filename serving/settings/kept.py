"""Small files that the commands keep for the settings: read whole or refused, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from serving.errors import ConfigurationError


class Kept(Protocol):
    """What such a file holds; its schema says which version of Weighbridge can read it."""

    @property
    def schema(self) -> str:
        """Return the name and number of the format."""


Found = TypeVar("Found", bound=Kept)


def read_kept(path: Path, what: type[Found], setting: str, made_by: str) -> Found:
    """Return what a file holds, an empty one where there is no file; raise ConfigurationError otherwise."""
    empty = what()
    try:
        found = msgspec.json.decode(path.read_bytes(), type=what)
    except FileNotFoundError:
        return empty
    except (OSError, msgspec.DecodeError) as error:
        raise unusable(path, f"cannot be read: {error}", setting, made_by) from None
    if found.schema != empty.schema:
        why = f"has schema {found.schema!r}, known here is {empty.schema!r}"
        raise unusable(path, why, setting, made_by)
    return found


def write_kept(path: Path, found: Kept) -> None:
    """Put it into the file; nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def unusable(path: Path, why: str, setting: str, made_by: str) -> ConfigurationError:
    """Return the error that names the setting, the file, what is wrong with it and how it is made anew."""
    return ConfigurationError(f"{setting}: {str(path)!r} {why}. Delete it and run: {made_by}")
