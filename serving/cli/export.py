"""`weighbridge export-log`: the decision log as JSON Lines, the door through which training reads it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from tqdm import tqdm

from serving.cli.logs import moment, opened
from serving.cli.output import writer


@click.command("export-log")
@click.option(
    "--since", callback=moment, metavar="WHEN", help="Only from then on: a date, an ISO time, 7d, 12h, 30m."
)
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def export_log(since: float | None, output: str, config: Path | None) -> None:
    """Write every decision with its outcome and feedback as JSON Lines, oldest first.

    The shape is described in docs/decision-log.md. A running service is not disturbed.
    """
    try:
        with opened(config) as (log, _), writer(output) as out:
            _write(log.export(since), out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{output!r} cannot be written: {error.strerror}.") from None


def _write(decisions: Iterable[dict[str, Any]], out: IO[bytes]) -> None:
    encode = msgspec.json.Encoder().encode
    for decision in tqdm(decisions, unit=" decisions", disable=not sys.stderr.isatty()):
        out.write(encode(decision) + b"\n")
