"""Logs to retrain on: rows of the real export, alike but for prompt, tier and what was said of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from serving.cli.parquet import write_parquet
from serving.state.sqlite import SQLiteLog
from tests.serving.state.records import decision, feedback, outcome

Row = Mapping[str, Any]


def template(folder: Path) -> dict[str, Any]:
    """Return one decision with its outcome and a thumb as the log exports it."""
    file = folder / "template.db"
    log = SQLiteLog(file)
    log.write(
        [
            decision(1, prompt="[]", conversation="c", caller=None),
            outcome(1),
            feedback(1, thumb="up", score=None),
        ]
    )
    (row,) = log.export()
    log.close()
    file.unlink()
    return row


def graded(
    row: Row, number: int, prompt: str | None, tier: str, good: bool, **changes: Any
) -> dict[str, Any]:
    """Return a decision on a prompt that a tier answered well or badly; `changes` are further fields."""
    said = row["feedback"][0] | {
        "thumb": "up" if good else "down",
        "source": "human",
        "feedback_id": f"f{number}",
    }
    text = None if prompt is None else json.dumps([{"role": "user", "content": prompt}])
    return {
        **row,
        "decision_id": f"d{number}",
        "tier": tier,
        "prompt": text,
        "conversation": f"c{number}",
        "outcome": row["outcome"] | {"tier": tier},
        "feedback": [said],
        **changes,
    }


def write_export(file: Path, rows: Iterable[Row]) -> Path:
    """Write rows as the export does: Parquet or JSON Lines, by the file's name."""
    with file.open("wb") as out:
        if file.suffix == ".parquet":
            write_parquet((dict(row) for row in rows), out)
        else:
            out.writelines(_lines(rows))
    return file


def _lines(rows: Iterable[Row]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    return (encode(row) + b"\n" for row in rows)
