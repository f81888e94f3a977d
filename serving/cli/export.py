"""`weighbridge export-log`: the log as JSON Lines or Parquet, the door through which training reads it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from tqdm import tqdm

from serving.cli.logs import moment, opened
from serving.cli.output import writer

Decisions = Iterable[dict[str, Any]]
Write = Callable[[Decisions, IO[bytes]], None]


@click.command("export-log")
@click.option(
    "--since", callback=moment, metavar="WHEN", help="Only from then on: a date, an ISO time, 7d, 12h, 30m."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    show_default=True,
    help="JSON Lines, or Parquet (needs: pip install 'weighbridge[parquet]').",
)
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def export_log(since: float | None, form: str, output: str, config: Path | None) -> None:
    """Write every decision with its outcome and feedback, oldest first.

    \b
    weighbridge export-log --since 7d -o decisions.jsonl
    weighbridge export-log --since 7d --format parquet -o decisions.parquet

    The shape is described in docs/decision-log.md. A running service is not disturbed.
    """
    write = _FORMATS[form]()
    try:
        with opened(config) as (log, _), writer(output) as out:
            write(tqdm(log.export(since), unit=" decisions", disable=not sys.stderr.isatty()), out)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise click.ClickException(f"{output!r} cannot be written: {error.strerror}.") from None


def _write_lines(decisions: Decisions, out: IO[bytes]) -> None:
    encode = msgspec.json.Encoder().encode
    for decision in decisions:
        out.write(encode(decision) + b"\n")


def _parquet() -> Write:
    try:
        from serving.cli.parquet import write_parquet  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise click.ClickException(
            f"Parquet needs what is not installed ({error.name}). "
            "Install it with: pip install 'weighbridge[parquet]'"
        ) from error
    return write_parquet


_FORMATS: dict[str, Callable[[], Write]] = {"jsonl": lambda: _write_lines, "parquet": _parquet}
