"""The user's own tasks: a JSON Lines file of prompts, each with a pattern that a good answer matches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from serving.errors import ConfigurationError


class _Row(Struct, forbid_unknown_fields=True):
    expect: Annotated[str, Meta(min_length=1)]
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None


class Task(Struct, frozen=True):
    """One prompt, and what a good answer matches."""

    messages: list[dict[str, Any]]
    expect: re.Pattern[str]


def read(path: Path) -> list[Task]:
    """Return the tasks of a file; raise ConfigurationError that names the line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    tasks = [_task(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not tasks:
        raise ConfigurationError(f"{path}: there is no task in it. Write one JSON object a line.")
    return tasks


def _task(line: bytes, where: str) -> Task:
    try:
        row = msgspec.json.decode(line, type=_Row)
        expect = re.compile(row.expect)
    except (msgspec.DecodeError, re.error) as error:
        raise ConfigurationError(
            f'{where}: {error}. A task looks like {{"prompt": "2 + 2?", "expect": "\\\\b4\\\\b"}}.'
        ) from None
    if (row.prompt is None) == (row.messages is None):
        raise ConfigurationError(f"{where}: needs prompt or messages, one of them.")
    return Task(row.messages or [{"role": "user", "content": row.prompt}], expect)
