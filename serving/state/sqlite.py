"""The decision log in one SQLite file: what a single machine needs, with nothing to install.

Write-ahead logging lets readers and the writer work side by side. A process that is killed leaves only
whole batches behind; a power cut may take the last ones with it (`synchronous = NORMAL`), never the file.
"""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any

from serving.errors import ConfigurationError
from serving.records import DecisionRecord, Feedback, Outcome, Record
from serving.state import rows
from serving.state.interface import LogUnavailableError
from serving.state.sqlite_schema import INSERTS, prepare

_BUSY_TIMEOUT_S = 5.0
_EXPORT_PAGE_ROWS = 500

# A value of a type, size or absence that no later attempt will cure.
_RECORDS_FAULT = (sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError)


class SQLiteLog:
    """Implements DecisionLog in the file at `path`, which is created with its folders where missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
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
        batches = _by_table(records)
        with self._lock:
            try:
                with self._writer:
                    for table, values in batches.items():
                        self._writer.executemany(INSERTS[table], values)
            except _RECORDS_FAULT:
                raise
            except sqlite3.Error as error:
                raise LogUnavailableError(_told(error)) from error

    def has_decision(self, decision_id: str) -> bool:
        """Tell whether a decision of that id is stored."""
        query = "SELECT 1 FROM decisions WHERE decision_id = ?"
        with closing(_connect(self.path)) as reader:
            return reader.execute(query, (decision_id,)).fetchone() is not None

    def export(self, since: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield what is stored at this moment, page by page; see DecisionLog.

        No transaction spans two pages, so that a long export never keeps the write-ahead file from shrinking.
        """
        try:
            with closing(_connect(self.path)) as reader:
                last = reader.execute("SELECT max(rowid) FROM decisions").fetchone()[0] or 0
                place: tuple[float, int] = (-1.0 if since is None else since, -1)
                while page := _page(reader, place, last):
                    yield from _with_what_followed(reader, page)
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


def _by_table(records: Sequence[Record]) -> dict[str, list[tuple[Any, ...]]]:
    batches: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for record in records:
        match record:
            case DecisionRecord():
                batches["decisions"].append(rows.decision_values(record))
            case Outcome():
                batches["outcomes"].append(rows.outcome_values(record))
            case Feedback():
                batches["feedback"].append(rows.feedback_values(record))
    return batches


def _page(reader: sqlite3.Connection, place: tuple[float, int], last: int) -> list[sqlite3.Row]:
    """Return the decisions after `place` (time, rowid), none younger than the row `last`."""
    return reader.execute(
        "SELECT rowid, * FROM decisions WHERE (created_at, rowid) > (?, ?) AND rowid <= ?"
        " ORDER BY created_at, rowid LIMIT ?",
        (*place, last, _EXPORT_PAGE_ROWS),
    ).fetchall()


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
