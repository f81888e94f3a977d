"""The tables of the SQLite log, their version, and the refusal of a file that is not such a log."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from serving.errors import ConfigurationError
from serving.state.rows import DECISION_COLUMNS, FEEDBACK_COLUMNS, OUTCOME_COLUMNS

SCHEMA_VERSION = 4

# "WBLG": tells our file from any other SQLite database.
_APPLICATION_ID = 0x57424C47

# What many decisions went by: catalogs, policies and tables, by key; see inputs.py.
_PARTS = "CREATE TABLE parts (key TEXT NOT NULL UNIQUE, body BLOB NOT NULL)"

# An id is its sender's own word, so that it is unique for one decision only.
_FEEDBACK = """CREATE TABLE {name} (
        feedback_id TEXT NOT NULL, decision_id TEXT NOT NULL, created_at REAL NOT NULL,
        source TEXT NOT NULL, score REAL, label TEXT, comment TEXT, thumb TEXT,
        other_decision_id TEXT, other_tier TEXT, prefers TEXT, weight REAL NOT NULL,
        UNIQUE (decision_id, feedback_id))"""

# No foreign keys: where a full queue dropped a decision, its outcome must still be storable.
_TABLES = (
    """CREATE TABLE decisions (
        decision_id TEXT NOT NULL UNIQUE, created_at REAL NOT NULL,
        endpoint TEXT NOT NULL, requested_model TEXT NOT NULL,
        deployment TEXT, tier TEXT, reason TEXT NOT NULL, propensity REAL NOT NULL,
        sufficiency TEXT NOT NULL, prediction_source TEXT NOT NULL, artifact TEXT NOT NULL,
        policy TEXT NOT NULL, snapshot TEXT NOT NULL,
        input_tokens INTEGER NOT NULL, expected_output_tokens INTEGER NOT NULL,
        expected_cost_usd REAL, expected_latency_ms REAL, expected_quality REAL,
        decide_ms REAL NOT NULL, explanation TEXT NOT NULL, prompt TEXT,
        caller TEXT, conversation TEXT, tools INTEGER NOT NULL, response_format TEXT, vectors BLOB,
        shadow TEXT, inputs BLOB)""",
    """CREATE TABLE outcomes (
        decision_id TEXT NOT NULL UNIQUE, finished_at REAL NOT NULL,
        status TEXT NOT NULL, deployment TEXT, streamed INTEGER NOT NULL,
        input_tokens INTEGER, output_tokens INTEGER, cached_input_tokens INTEGER,
        cost_usd REAL, first_token_ms REAL, latency_ms REAL NOT NULL,
        attempts TEXT NOT NULL, error TEXT)""",
    _FEEDBACK.format(name="feedback"),
    _PARTS,
    "CREATE INDEX decisions_by_time ON decisions (created_at)",
)

# What brings a file of the version before to each version.
_UPGRADES = {
    2: (
        "ALTER TABLE decisions ADD COLUMN caller TEXT",
        "ALTER TABLE decisions ADD COLUMN inputs BLOB",
        _PARTS,
    ),
    3: (
        "ALTER TABLE decisions ADD COLUMN conversation TEXT",
        "ALTER TABLE decisions ADD COLUMN tools INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE decisions ADD COLUMN response_format TEXT",
        "ALTER TABLE decisions ADD COLUMN vectors BLOB",
        _FEEDBACK.format(name="feedback_3"),
        """INSERT INTO feedback_3 SELECT feedback_id, decision_id, created_at, source, score, label, comment,
        NULL, NULL, NULL, NULL, 1.0 FROM feedback ORDER BY rowid""",
        "DROP TABLE feedback",
        "ALTER TABLE feedback_3 RENAME TO feedback",
    ),
    4: ("ALTER TABLE decisions ADD COLUMN shadow TEXT",),
}


def _insert(table: str, columns: Sequence[str], ids: int = 1) -> str:
    # DO NOTHING names the ids alone: OR IGNORE would hide a missing value as well
    marks, unique = ",".join("?" * len(columns)), ",".join(columns[:ids])
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks}) ON CONFLICT ({unique}) DO NOTHING"  # noqa: S608


INSERTS = {
    # first: no decision may refer to what is not there
    "parts": _insert("parts", ("key", "body")),
    "decisions": _insert("decisions", (*DECISION_COLUMNS, "inputs")),
    "outcomes": _insert("outcomes", OUTCOME_COLUMNS),
    "feedback": _insert("feedback", FEEDBACK_COLUMNS, ids=2),
}


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables in an empty file; refuse one that is something else, or newer than this code."""
    if _number(connection, "schema_version") != 0:
        _refuse_foreign(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if _number(connection, "user_version") == 0:
        _create_tables(connection)
    if _number(connection, "user_version") < SCHEMA_VERSION:
        _upgrade(connection)
    for table in INSERTS:
        # touches the root of each table, which finds a file cut short at start rather than at night
        connection.execute(f"SELECT max(rowid) FROM {table}")  # noqa: S608


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    if _number(connection, "application_id") != _APPLICATION_ID:
        raise ConfigurationError(
            f"{str(path)!r} is an SQLite database of something else. Set log.path to a file of its own."
        )
    found = _number(connection, "user_version")
    if found > SCHEMA_VERSION:
        raise ConfigurationError(
            f"The decision log {str(path)!r} has schema version {found}, this Weighbridge knows up to "
            f"{SCHEMA_VERSION}. Upgrade Weighbridge, or set log.path to another file."
        )


def _create_tables(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        # another process may have done it while this one waited
        if _number(connection, "user_version") != 0:
            return
        for statement in _TABLES:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _upgrade(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for version in range(_number(connection, "user_version") + 1, SCHEMA_VERSION + 1):
            for statement in _UPGRADES[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version}")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
