"""`weighbridge export-log`: the decision log as JSON Lines, the door through which training reads it."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from tqdm import tqdm

from serving.cli.output import writer
from serving.errors import ConfigurationError
from serving.settings import load_settings
from serving.state.sqlite import SQLiteLog

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _moment(context: click.Context, parameter: click.Parameter, given: str | None) -> float | None:
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


@click.command("export-log")
@click.option(
    "--since", callback=_moment, metavar="WHEN", help="Only from then on: a date, an ISO time, 7d, 12h, 30m."
)
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def export_log(since: float | None, output: str, config: Path | None) -> None:
    """Write every decision with its outcome and feedback as JSON Lines, oldest first.

    The shape is described in docs/decision-log.md. A running service is not disturbed.
    """
    try:
        path = load_settings(config, os.environ).log.path
        if not path.exists():
            raise ConfigurationError(
                f"There is no decision log at {str(path)!r} yet. "
                "Start the service, or name its settings with --config."
            )
        log = SQLiteLog(path)
        try:
            with writer(output) as out:
                _write(log.export(since), out)
        finally:
            log.close()
    except ConfigurationError as error:
        raise click.ClickException(error.message) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{output!r} cannot be written: {error.strerror}.") from None


def _write(decisions: Iterable[dict[str, Any]], out: IO[bytes]) -> None:
    encode = msgspec.json.Encoder().encode
    for decision in tqdm(decisions, unit=" decisions", disable=not sys.stderr.isatty()):
        out.write(encode(decision) + b"\n")
