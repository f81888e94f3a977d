"""Labels in: the corpus as checked rows, and folds that keep each conversation on one side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from classifier.artifact import sha256
from classifier.reading import Reading, ReadingError, read
from training.agreement import RESOLVED, SecondLabels, read_second_labels
from training.agreement import CorpusError as CorpusError

_FIELDS = frozenset(
    {"id", "prompt", "messages", "tools", "response_format", "tier", "domain", "kind", "language"}
)
_OPTIONAL = frozenset({"why", "traits", "place"})
SECOND = "second"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled prompt. `group` is the same for rows that must not be torn apart by a split.

    `tier` is the label that holds; `labels` are those it was given, the second without sight of the first.
    """

    id: str
    group: str
    prompt: Mapping[str, Any]
    reading: Reading
    tier: str
    domain: str
    kind: str
    language: str
    traits: tuple[str, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """The rows in the order of their files, and what the manifest says of each file."""

    rows: tuple[Row, ...]
    files: tuple[Mapping[str, Any], ...]


def load_corpus(folder: Path, tiers: Sequence[str]) -> Corpus:
    """Read every .jsonl file of a folder; raise CorpusError at the first row that is not as in the rubric."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise CorpusError(f"No .jsonl files in {folder}. Name the corpus with --corpus.")
    rows: list[Row] = []
    files: list[Mapping[str, Any]] = []
    for path in paths:
        found = list(_rows(path, tiers))
        rows += found
        files.append({"name": path.name, "sha256": sha256(path), "rows": len(found)})
    _check_ids(rows)
    given = read_second_labels(folder / SECOND, [row.id for row in rows], tiers)
    files += given.files
    return Corpus(tuple(_resolved(row, given) for row in rows), tuple(files))


def _resolved(row: Row, given: SecondLabels) -> Row:
    second = given.tiers.get(row.id)
    if second is None:
        return row
    tier = row.tier if second == row.tier else given.resolved.get(row.id)
    if tier is None:
        raise CorpusError(
            f"The two labels of {row.id!r} differ ({row.tier}, {second}) and {SECOND}/{RESOLVED} "
            "does not say which holds. Add a line with its id, tier and because."
        )
    return replace(row, tier=tier, labels=(row.tier, second))


def split(rows: Sequence[Row], folds: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each row: groups whole, tiers as even as that allows."""
    tiers = [row.tier for row in rows]
    groups = [row.group for row in rows]
    fold_of = np.zeros(len(rows), dtype=np.int64)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    try:
        for fold, (_, held_out) in enumerate(splitter.split(np.zeros(len(rows)), tiers, groups)):
            fold_of[held_out] = fold
    except ValueError as error:
        raise CorpusError(f"{len(rows)} rows are too few for {folds} folds: {error}") from error
    return fold_of


def _rows(path: Path, tiers: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield _row(json.loads(line), tiers)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{path.name}, line {number}: {error}") from error


def _row(found: Any, tiers: Sequence[str]) -> Row:
    if not isinstance(found, dict):
        raise CorpusError("is not a JSON object.")
    unknown = sorted(found.keys() - _FIELDS - _OPTIONAL)
    if unknown:
        raise CorpusError(f"unknown field {unknown[0]!r}. Known: {', '.join(sorted(_FIELDS | _OPTIONAL))}.")
    for name in ("id", "tier", "domain", "kind", "language"):
        if not isinstance(found.get(name), str) or not found[name]:
            raise CorpusError(f"needs {name!r}, a string that is not empty.")
    if found["tier"] not in tiers:
        raise CorpusError(f"tier {found['tier']!r} is unknown. Known: {', '.join(tiers)}.")
    prompt = {
        name: found[name] for name in ("prompt", "messages", "tools", "response_format") if name in found
    }
    try:
        reading = read(prompt)
    except ReadingError as error:
        raise CorpusError(str(error)) from error
    return Row(
        id=found["id"],
        group=_group(found),
        prompt=prompt,
        reading=reading,
        tier=found["tier"],
        domain=found["domain"],
        kind=found["kind"],
        language=found["language"],
        traits=tuple(found.get("traits", ())),
        labels=(found["tier"],),
    )


def _group(found: Mapping[str, Any]) -> str:
    """Return what two continuations of one conversation, or two copies of one prompt, have in common."""
    opening = found.get("prompt")
    if opening is None:
        opening = [message.get("content") for message in found["messages"] if message["role"] == "user"][:1]
    text = opening if isinstance(opening, str) else json.dumps(opening, sort_keys=True)
    return hashlib.sha256(" ".join(text.lower().split()).encode("utf-8", "replace")).hexdigest()


def _check_ids(rows: Sequence[Row]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise CorpusError(f"The id {row.id!r} stands twice in the corpus. Give each row its own.")
        seen.add(row.id)
