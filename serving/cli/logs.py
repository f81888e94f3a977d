"""The decision log as the commands open it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from serving.errors import ConfigurationError
from serving.settings import Settings, load_settings
from serving.state.sqlite import SQLiteLog

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def moment(context: click.Context, parameter: click.Parameter, given: str | None) -> float | None:
    """Return a date, an ISO 8601 time (without a zone: UTC) or an age as Unix seconds."""
    if given is None:
        return None
    ago = re.fullmatch(r"(\d{1,9})([smhdw])", given)
    if ago:
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        when = datetime.fromisoformat(given)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{given!r} is no moment. Give a date, 2026-11-24T08:00, or an age such as 7d, 12h or 30m."
        ) from None


def shown_moment(unix_s: float) -> str:
    """Return a moment as people write it, in UTC.

    >>> shown_moment(0.0)
    '1970-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


@contextmanager
def opened(config: Path | None) -> Iterator[tuple[SQLiteLog, Settings]]:
    """Yield the log that the settings name, which must exist; what is wrong with it ends the command."""
    try:
        settings = load_settings(config, os.environ)
        path = settings.log.path
        if not path.exists():
            raise ConfigurationError(
                f"There is no decision log at {str(path)!r} yet. "
                "Start the service, or name its settings with --config."
            )
        log = SQLiteLog(path)
        try:
            yield log, settings
        finally:
            log.close()
    except ConfigurationError as error:
        raise click.ClickException(error.message) from None
