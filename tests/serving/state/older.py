"""Logs as earlier versions of Weighbridge wrote them, statement by statement."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_FIRST = (
    """CREATE TABLE decisions (
        decision_id TEXT NOT NULL UNIQUE, created_at REAL NOT NULL,
        endpoint TEXT NOT NULL, requested_model TEXT NOT NULL,
        deployment TEXT, tier TEXT, reason TEXT NOT NULL, propensity REAL NOT NULL,
        sufficiency TEXT NOT NULL, prediction_source TEXT NOT NULL, artifact TEXT NOT NULL,
        policy TEXT NOT NULL, snapshot TEXT NOT NULL,
        input_tokens INTEGER NOT NULL, expected_output_tokens INTEGER NOT NULL,
        expected_cost_usd REAL, expected_latency_ms REAL, expected_quality REAL,
        decide_ms REAL NOT NULL, explanation TEXT NOT NULL, prompt TEXT)""",
    """CREATE TABLE outcomes (
        decision_id TEXT NOT NULL UNIQUE, finished_at REAL NOT NULL,
        status TEXT NOT NULL, deployment TEXT, streamed INTEGER NOT NULL,
        input_tokens INTEGER, output_tokens INTEGER, cached_input_tokens INTEGER,
        cost_usd REAL, first_token_ms REAL, latency_ms REAL NOT NULL,
        attempts TEXT NOT NULL, error TEXT)""",
    """CREATE TABLE feedback (
        feedback_id TEXT NOT NULL UNIQUE, decision_id TEXT NOT NULL, created_at REAL NOT NULL,
        source TEXT NOT NULL, score REAL, label TEXT, comment TEXT)""",
    "CREATE INDEX decisions_by_time ON decisions (created_at)",
    "CREATE INDEX feedback_by_decision ON feedback (decision_id)",
    """INSERT INTO decisions VALUES ('dec_1', 1001.0, '/route', 'auto', 'demo-economy', 'economy',
        'least_total_cost', 1.0, '{"economy":0.8,"standard":0.9,"premium":1.0}', 'classifier', 'v1', 'abc',
        '7', 12, 400, 0.0002, 900.0, 0.9, 0.3, '{"ranking":[]}', NULL)""",
    """INSERT INTO feedback VALUES ('fb_1', 'dec_1', 2001.0, 'human', 0.0, 'too_weak', 'no')""",
    "PRAGMA application_id = 0x57424C47",
    "PRAGMA user_version = 1",
)
_SECOND = (
    "CREATE TABLE parts (key TEXT NOT NULL UNIQUE, body BLOB NOT NULL)",
    "ALTER TABLE decisions ADD COLUMN caller TEXT",
    "ALTER TABLE decisions ADD COLUMN inputs BLOB",
    "UPDATE decisions SET caller = 'batch'",
    "PRAGMA user_version = 2",
)


def write_older(path: Path, version: int) -> None:
    """Write a log of that version with one decision (`dec_1`) that has feedback (`fb_1`)."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in (*_FIRST, *(_SECOND if version > 1 else ())):
            connection.execute(statement)
