"""The decision log in one SQLite file: what a single machine needs, with nothing to install.

Write-ahead logging lets readers and the writer work side by side. A process that is killed leaves only
whole batches behind; a power cut may take the last ones with it (`synchronous = NORMAL`), never the file.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from serving.errors import ConfigurationError
from serving.records import DecisionRecord, Feedback, Outcome, Record
from serving.state import rows
from serving.state.inputs import Kept, Unpacker, UnreadableInputs
from serving.state.interface import Entry, LogUnavailableError
from serving.state.sqlite_schema import INSERTS, prepare

_BUSY_TIMEOUT_S = 5.0
_EXPORT_PAGE_ROWS = 500

_COLUMNS = ", ".join(rows.DECISION_COLUMNS)
_BULKY = ("explanation", "vectors")
_ENTRY_COLUMNS = ", ".join(name for name in (*rows.DECISION_COLUMNS, "inputs") if name not in _BULKY)

# A value of a type, size or absence that no later attempt will cure.
_RECORDS_FAULT = (sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError)


class SQLiteLog:
    """Implements DecisionLog in the file at `path`, which is created with its folders where missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._kept = Kept()
        try:
            _create(path)
            self._writer = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(
                f"The decision log {str(path)!r} cannot be opened: {_told(error)}. "
                "Set log.path to a file in a folder this user may write to."
            ) from error
        try:
            prepare(self._writer, path)
        except sqlite3.Error as error:
            self._writer.close()
            raise _unusable(path, error) from error
        except ConfigurationError:
            self._writer.close()
            raise

    def write(self, records: Sequence[Record]) -> None:
        """Store a batch in one transaction; see DecisionLog."""
        with self._lock:
            batches, kept = _by_table(records, self._kept)
            try:
                with self._writer:
                    for table, statement in INSERTS.items():
                        self._writer.executemany(statement, batches[table])
            except _RECORDS_FAULT:
                raise
            except sqlite3.Error as error:
                raise LogUnavailableError(_told(error)) from error
            self._kept = kept

    def find(self, decision_id: str) -> dict[str, Any] | None:
        """Return one decision with what followed, or None; see DecisionLog."""
        return self.find_all([decision_id]).get(decision_id)

    def find_all(self, decision_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return those that are stored, by their ids; see DecisionLog."""
        found: dict[str, dict[str, Any]] = {}
        with closing(_connect(self.path)) as reader:
            for start in range(0, len(decision_ids), _EXPORT_PAGE_ROWS):
                ids = decision_ids[start : start + _EXPORT_PAGE_ROWS]
                marks = ",".join("?" * len(ids))
                query = f"SELECT {_COLUMNS} FROM decisions WHERE decision_id IN ({marks})"  # noqa: S608
                page = reader.execute(query, ids).fetchall()
                found.update((row["decision_id"], row) for row in _with_what_followed(reader, page))
        return found

    def export(self, since: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield what is stored at this moment, page by page; see DecisionLog.

        No transaction spans two pages, so that a long export never keeps the write-ahead file from shrinking.
        """
        for reader, page in self._pages(_COLUMNS, since, None):
            yield from _with_what_followed(reader, page)

    def entries(self, since: float | None = None, until: float | None = None) -> Iterator[Entry]:
        """Yield what was decided, ready to be decided again, page by page; see DecisionLog."""
        with closing(_connect(self.path)) as parts:
            unpacker = Unpacker(partial(_part, parts))
            for _, page in self._pages(_ENTRY_COLUMNS, since, until):
                yield from (_entry(dict(row), unpacker) for row in page)

    def _pages(
        self, columns: str, since: float | None, until: float | None
    ) -> Iterator[tuple[sqlite3.Connection, list[sqlite3.Row]]]:
        try:
            with closing(_connect(self.path)) as reader:
                last = reader.execute("SELECT max(rowid) FROM decisions").fetchone()[0] or 0
                place: tuple[float, int] = (-1.0 if since is None else since, -1)
                bounds = (last, math.inf if until is None else until)
                while page := _page(reader, columns, place, bounds):
                    yield reader, page
                    place = (page[-1]["created_at"], page[-1]["rowid"])
        except sqlite3.DatabaseError as error:
            raise _unusable(self.path, error) from error

    def close(self) -> None:
        """Close the file; what is written is folded back from the write-ahead file."""
        with self._lock:
            self._writer.close()


def _create(path: Path) -> None:
    """Create an empty file that only its owner may read: the log can hold prompts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _connect(path: Path) -> sqlite3.Connection:
    # A generator may be advanced by one thread and closed by another; the lock above guards the writer.
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _by_table(records: Sequence[Record], kept: Kept) -> tuple[dict[str, list[tuple[Any, ...]]], Kept]:
    """Return the rows of each table, and what the log holds once they are stored."""
    batches: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for record in records:
        match record:
            case DecisionRecord():
                packed, parts, kept = kept.packed(record)
                batches["parts"] += parts.items()
                batches["decisions"].append((*rows.decision_values(record), packed))
            case Outcome():
                batches["outcomes"].append(rows.outcome_values(record))
            case Feedback():
                batches["feedback"].append(rows.feedback_values(record))
    return batches, kept


def _page(
    reader: sqlite3.Connection, columns: str, place: tuple[float, int], bounds: tuple[int, float]
) -> list[sqlite3.Row]:
    """Return the decisions after `place` (time, rowid), none younger than `bounds` (rowid, time)."""
    return reader.execute(
        f"SELECT rowid, {columns} FROM decisions"  # noqa: S608
        " WHERE (created_at, rowid) > (?, ?) AND rowid <= ? AND created_at < ?"
        " ORDER BY created_at, rowid LIMIT ?",
        (*place, *bounds, _EXPORT_PAGE_ROWS),
    ).fetchall()


def _part(reader: sqlite3.Connection, key: str) -> bytes | None:
    found = reader.execute("SELECT body FROM parts WHERE key = ?", (key,)).fetchone()
    return None if found is None else found["body"]


def _entry(row: dict[str, Any], unpacker: Unpacker) -> Entry:
    packed = row.pop("inputs")
    try:
        return Entry(row, unpacker.unpack(packed))
    except UnreadableInputs as problem:
        return Entry(row, None, str(problem))


def _with_what_followed(reader: sqlite3.Connection, page: Sequence[sqlite3.Row]) -> Iterator[dict[str, Any]]:
    ids = [row["decision_id"] for row in page]
    marks = ",".join("?" * len(ids))
    found = reader.execute(f"SELECT * FROM outcomes WHERE decision_id IN ({marks})", ids)  # noqa: S608
    outcomes = {row["decision_id"]: row for row in found}
    feedback: defaultdict[str, list[sqlite3.Row]] = defaultdict(list)
    query = f"SELECT * FROM feedback WHERE decision_id IN ({marks}) ORDER BY created_at, rowid"  # noqa: S608
    for row in reader.execute(query, ids):
        feedback[row["decision_id"]].append(row)
    for row in page:
        decision_id = row["decision_id"]
        outcome = outcomes.get(decision_id)
        given = [dict(each) for each in feedback[decision_id]]
        yield rows.exported(dict(row), dict(outcome) if outcome else None, given)


def _unusable(path: Path, error: sqlite3.Error) -> ConfigurationError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        way_out = "Another program holds it: end that program, or try again."
    else:
        way_out = (
            "Move the file away, or set log.path to another file; "
            f"'sqlite3 {path.name} .recover' saves what is readable."
        )
    return ConfigurationError(f"The decision log {str(path)!r} cannot be used: {_told(error)}. {way_out}")


def _told(error: Exception) -> str:
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else str(error)
