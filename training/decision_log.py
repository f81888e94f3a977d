"""Reads what `weighbridge export-log` has written, in pieces: the one door from serving to training.

The shape is that of docs/decision-log.md. Only the fields that training needs are read; others may come and
go. What cannot be trusted whole (cut short, of another schema, a number that is none) is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

SCHEMA = "weighbridge.decision-log/2"
PIECE_ROWS = 2_000

_NAME, _VERSION = SCHEMA.split("/")
_PARQUET = b"PAR1"

Share = Annotated[float, Meta(ge=0, le=1)]
# a bound refuses what is not a number, too
Weight = Annotated[float, Meta(ge=0, le=1e6)]


class ExportError(ValueError):
    """An export that cannot be read; the message says which file, where, what is wrong, and the way out."""


class Vectors(Struct, frozen=True):
    """What the classifier made of the prompt: little-endian float32."""

    encoder: str
    feature_schema: int
    embedding: bytes
    features: bytes


class Comparison(Struct, frozen=True):
    """How the answer compares with another tier's."""

    other_tier: str | None
    prefers: str


class Opinion(Struct, frozen=True):
    """What someone thought of an answer, or of two; `holds` where it is their last word."""

    source: str
    weight: Weight
    holds: bool
    score: Share | None
    thumb: str | None
    label: str | None
    comparison: Comparison | None


class Outcome(Struct, frozen=True):
    """How a dispatched decision ended, and which tier answered."""

    status: str
    tier: str | None


class Decision(Struct, frozen=True):
    """One decision of the log, as far as training needs it."""

    schema: str
    decision_id: str
    endpoint: str
    tier: str | None
    propensity: Annotated[float, Meta(gt=0, le=1)]
    prediction_source: str
    caller: str | None
    conversation: str | None
    prompt: str | None
    tools: int
    response_format: str | None
    vectors: Vectors | None
    outcome: Outcome | None
    feedback: list[Opinion]


class _Head(Struct):
    schema: str = ""


def pieces(export: Path) -> Iterator[list[Decision]]:
    """Yield the decisions of an export in order, piece by piece; raise ExportError where it is not whole."""
    for piece in _pieces(export, None):
        yield [decision for _, decision in piece.rows]


def pieces_at(export: Path, places: Collection[int]) -> Iterator[Piece]:
    """Yield every piece of an export with the decisions at these places alone: the others are not decoded."""
    yield from _pieces(export, frozenset(places))


@dataclass(frozen=True, slots=True)
class Piece:
    """So many rows of an export from `first` on, and the decisions of some of them by their place in it."""

    first: int
    size: int
    rows: list[tuple[int, Decision]]


@dataclass(frozen=True, slots=True)
class Part:
    """Some row groups of a Parquet file, which can be read on their own: so many `rows` from `first` on."""

    export: Path
    groups: tuple[int, ...]
    first: int
    rows: int


def is_parquet(export: Path) -> bool:
    """Return whether an export is Parquet; raise ExportError where it cannot be read."""
    try:
        with export.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError as error:
        raise ExportError(f"{export} cannot be read: {error.strerror}.") from error


def parts_of(export: Path, most_rows: int) -> list[Part]:
    """Return a Parquet export in parts of at most so many rows, or of a row group where that has more."""
    with _opened(export) as file:
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    found: list[Part] = []
    for group, rows in enumerate(counts):
        last = found[-1] if found else Part(export, (), 0, 0)
        if last.groups and last.rows + rows <= most_rows:
            found[-1] = Part(export, (*last.groups, group), last.first, last.rows + rows)
        else:
            found.append(Part(export, (group,), last.first + last.rows, rows))
    return found


def pieces_of(part: Part, places: Collection[int]) -> Iterator[Piece]:
    """Yield what `pieces_at` does of one part; places count from the start of its file."""
    yield from _of_parquet(part.export, frozenset(places), part)


def _pieces(export: Path, wanted: frozenset[int] | None) -> Iterator[Piece]:
    yield from _of_parquet(export, wanted) if is_parquet(export) else _of_lines(export, wanted)


def _of_lines(export: Path, wanted: frozenset[int] | None) -> Iterator[Piece]:
    decode = msgspec.json.Decoder(Decision).decode
    first = 0
    with export.open("rb") as lines:
        numbered = enumerate(lines, start=1)
        while batch := list(islice(numbered, PIECE_ROWS)):
            rows = list(enumerate(((number, line) for number, line in batch if line.strip()), first))
            yield Piece(
                first,
                len(rows),
                [
                    (place, _line(export, number, line, decode))
                    for place, (number, line) in rows
                    if wanted is None or place in wanted
                ],
            )
            first += len(rows)


def _line(export: Path, number: int, line: bytes, decode: Any) -> Decision:
    where = f"{export}, line {number}"
    if not line.endswith(b"\n"):
        raise ExportError(f"{where}: cut short, its end is missing. Copy or export the file again.")
    try:
        return _checked(decode(line), where)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(where, _schema_of(line), error) from error


def _schema_of(line: bytes) -> str | None:
    try:
        return msgspec.json.decode(line, type=_Head).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


@contextmanager
def _opened(export: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra of serving's; training brings it
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(f"{export} is Parquet. Install: pip install 'weighbridge[training]'.") from error
    try:
        with pq.ParquetFile(export) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ExportError(
            f"{export} is not a whole Parquet file ({_first_line(error)}). Copy or export it again."
        ) from error


def _of_parquet(export: Path, wanted: frozenset[int] | None, part: Part | None = None) -> Iterator[Piece]:
    """Yield the pieces of a part, of the whole file for None."""
    with _opened(export) as file:
        _check_schema(
            f"{export}", (file.schema_arrow.metadata or {}).get(b"weighbridge.schema", b"").decode()
        )
        columns = [name for name in Decision.__struct_fields__ if name in file.schema_arrow.names]
        first, groups = (0, None) if part is None else (part.first, list(part.groups))
        for batch in file.iter_batches(PIECE_ROWS, row_groups=groups, columns=columns):
            places: Sequence[int] = range(first, first + batch.num_rows)
            taken = batch
            if wanted is not None:
                places = [place for place in places if place in wanted]
                taken = batch.take([place - first for place in places]) if places else batch.slice(0, 0)
            rows = zip(places, taken.to_pylist(), strict=True)
            found = [(place, _converted(export, place + 1, one)) for place, one in rows]
            yield Piece(first, batch.num_rows, found)
            first += batch.num_rows


def _converted(export: Path, number: int, row: dict[str, Any]) -> Decision:
    where = f"{export}, row {number}"
    try:
        return _checked(msgspec.convert(row, Decision), where)
    except msgspec.ValidationError as error:
        raise _refusal(where, row.get("schema"), error) from error


def _checked(decision: Decision, where: str) -> Decision:
    _check_schema(where, decision.schema)
    return decision


def _check_schema(where: str, found: str | None) -> None:
    if found == SCHEMA:
        return
    name, _, version = (found or "").partition("/")
    if name != _NAME or not version.isdigit():
        raise ExportError(f"{where}: no export of the decision log. Write one with: weighbridge export-log")
    if int(version) > int(_VERSION):
        raise ExportError(
            f"{where}: written by a newer Weighbridge (schema {version}, this one reads {_VERSION}). "
            "Update Weighbridge."
        )
    raise ExportError(
        f"{where}: of an earlier schema ({version}, this Weighbridge reads {_VERSION}). "
        "The log still holds it all; write it again with: weighbridge export-log"
    )


def _refusal(where: str, schema: str | None, error: Exception) -> ExportError:
    """Return the error about a row that has not the shape: the schema tells first where it is another."""
    if schema and schema != SCHEMA:
        try:
            _check_schema(where, schema)
        except ExportError as refusal:
            return refusal
    return ExportError(f"{where}: {_first_line(error)}. Export the log again.")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
