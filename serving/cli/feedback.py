"""`weighbridge feedback import`: feedback from a file into the decision log, line by line."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import click
import msgspec
from tqdm import tqdm

from serving.api.opinion import opinion
from serving.api.schemas import FeedbackBody, checked, decode
from serving.cli.lines import reader
from serving.cli.logs import opened
from serving.cli.output import writer
from serving.errors import WeighbridgeError
from serving.feedback import accepted, decisions_in, shown
from serving.records import Feedback
from serving.state.interface import DecisionLog, LogUnavailableError

_BATCH_LINES = 500


class _Line(NamedTuple):
    number: int
    raw: bytes


class _Bad(NamedTuple):
    line: _Line
    problem: str


@click.group()
def feedback() -> None:
    """What people, judges and checks thought of answers."""


@feedback.command("import")
@click.argument("file", metavar="FILE")
@click.option("--rejected", metavar="FILE", help="Write the lines that were not taken there, as they were.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def import_feedback(file: str, rejected: str | None, config: Path | None) -> None:
    """Store every line of FILE (JSON Lines, also .gz; - is standard input) as POST /feedback would.

    \b
    {"decision_id": "dec_…", "label": "too_weak", "source": "human", "given_at": 1764000000}

    A line without `feedback_id` is known by its content, so that importing a file again changes nothing. A
    bad line is reported with its number, the rest goes on, and the exit status is 1 at the end. A running
    service is not disturbed; what it has learned in memory changes with feedback that comes over HTTP only.
    """
    counts: Counter[str] = Counter()
    try:
        with ExitStack() as stack:
            log, settings = stack.enter_context(opened(config))
            lines = stack.enter_context(reader(file))
            left = stack.enter_context(writer(rejected)) if rejected else None
            bar = stack.enter_context(tqdm(unit=" lines", disable=None, file=sys.stderr))
            for batch in _batches(lines):
                bad = _store(log, batch, settings.feedback.weights, counts)
                for line, problem in bad:
                    bar.write(f"line {line.number}: {problem}", file=sys.stderr)
                    if left is not None:
                        left.write(line.raw.rstrip(b"\r\n") + b"\n")
                bar.update(len(batch))
    except LogUnavailableError as error:
        raise click.ClickException(
            f"The log cannot be written ({error}). What was stored stays; import the file again."
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise click.ClickException(f"{file!r} is not a whole gzip file: {error}. {_told(counts)}") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename!r}: {error.strerror}. {_told(counts)}") from error
    click.echo(_told(counts), err=True)
    sys.exit(1 if counts["bad"] else 0)


def _told(counts: Mapping[str, int]) -> str:
    stored, known, bad = (counts.get(name, 0) for name in ("stored", "known", "bad"))
    return f"{stored:,} stored, {known:,} known already, {bad:,} not taken."


def _batches(lines: IO[bytes]) -> Iterator[list[_Line]]:
    numbered = (_Line(number, raw) for number, raw in enumerate(lines, start=1))
    while batch := list(islice(numbered, _BATCH_LINES)):
        yield [line for line in batch if line.raw.strip()]


def _store(
    log: DecisionLog, batch: Sequence[_Line], weights: Mapping[str, float], counts: Counter[str]
) -> list[_Bad]:
    """Store the good lines of a batch in one transaction, and return the bad ones in their order."""
    bad: list[_Bad] = []
    read: list[tuple[_Line, Feedback]] = []
    for line in batch:
        try:
            read.append((line, _feedback(line, weights)))
        except WeighbridgeError as error:
            bad.append(_Bad(line, error.message))
    rows = log.find_all(sorted({name for _, given in read for name in decisions_in(given)}))
    new: list[Feedback] = []
    for line, given in read:
        try:
            accepted_now = accepted(given, rows)
        except WeighbridgeError as error:
            bad.append(_Bad(line, error.message))
            continue
        counts["known" if accepted_now is None else "stored"] += 1
        if accepted_now is not None:
            new.append(accepted_now)
            # a later line of this batch may say it again
            rows[given.decision_id]["feedback"].append(shown(accepted_now))
    log.write(new)
    counts["bad"] += len(bad)
    return sorted(bad, key=lambda one: one.line.number)


def _feedback(line: _Line, weights: Mapping[str, float]) -> Feedback:
    """Return a line as feedback; without an id of its own, its content is its id."""
    found: dict[str, Any] = decode(line.raw)
    content = msgspec.json.encode(found, order="deterministic")
    given = opinion(checked(found, FeedbackBody), f"fb_{blake2b(content, digest_size=12).hexdigest()}")
    return replace(given, weight=weights[given.source])
