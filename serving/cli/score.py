"""`weighbridge score`: weigh every row of a file, keep what else the row holds."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

import click
import msgspec
from tqdm import tqdm

from classifier.artifact import ArtifactError, bundled_models, champion_folder
from classifier.reading import Reading, ReadingError
from classifier.tier_classifier import TierClassifier
from serving.cli.lines import reader
from serving.cli.output import writer

_BATCH_ROWS = 256


class BadRow(Exception):
    """A row that cannot be weighed; the message says what is wrong with it."""


@click.command()
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; - is standard output.")
@click.option(
    "--artifact", type=click.Path(path_type=Path), help="An artifact folder; default: the champion."
)
def score(file: str, output: str, artifact: Path | None) -> None:
    """Weigh every row of FILE (JSON Lines, also .gz; - is standard input).

    A row has `prompt` or `messages`. It is written with `sufficiency` (a number per tier),
    `required_tier` and `artifact` added, and everything else kept. A bad row is reported with its
    line number, the rest goes on, and the exit status is 1 at the end.
    """
    try:
        classifier = TierClassifier.load(artifact or champion_folder(bundled_models()))
        with reader(file) as lines, writer(output) as out:
            good, bad = _score_all(classifier, lines, out)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise click.ClickException(f"{file!r} is not a whole gzip file: {error}.") from error
    except (ArtifactError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if bad:
        click.echo(f"{good:,} rows weighed, {bad:,} could not be read.", err=True)
        sys.exit(1)


def _score_all(classifier: TierClassifier, lines: IO[bytes], out: IO[bytes]) -> tuple[int, int]:
    encoder = msgspec.json.Encoder()
    good = bad = 0
    numbered = enumerate(lines, start=1)
    with tqdm(unit=" rows", disable=None, file=sys.stderr) as bar:
        while batch := list(islice(numbered, _BATCH_ROWS)):
            rows: list[tuple[dict[str, Any], Reading]] = []
            for number, line in batch:
                if not line.strip():
                    continue
                try:
                    rows.append(_row(line, classifier))
                except BadRow as problem:
                    bad += 1
                    bar.write(f"line {number}: {problem}", file=sys.stderr)
            out.writelines(encoder.encode(row) + b"\n" for row in _weighed(classifier, rows))
            good += len(rows)
            bar.update(len(batch))
    return good, bad


def _row(line: bytes, classifier: TierClassifier) -> tuple[dict[str, Any], Reading]:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRow(f"not valid JSON ({error})") from None
    if not isinstance(row, dict):
        raise BadRow("not a JSON object")
    if ("prompt" in row) == ("messages" in row):
        raise BadRow("needs either `prompt` or `messages`")
    try:
        return row, classifier.read(_prompt(row))
    except ReadingError as error:
        raise BadRow(str(error)) from None


def _prompt(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: row[name] for name in ("prompt", "messages", "tools", "response_format") if name in row}


def _weighed(
    classifier: TierClassifier, rows: list[tuple[dict[str, Any], Reading]]
) -> Iterator[dict[str, Any]]:
    predictions = classifier.predict_readings([reading for _, reading in rows])
    for (row, _), prediction in zip(rows, predictions, strict=True):
        sufficiency = dict(zip(classifier.tiers, prediction.sufficiency, strict=True))
        yield row | {
            "sufficiency": sufficiency,
            "required_tier": prediction.required_tier,
            "artifact": classifier.version,
        }
