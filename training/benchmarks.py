"""Benchmarks that are kept for measurement: nothing is trained on them, by name or by content.

The product ships no text of theirs, and no fingerprints: those are made from a folder that holds them.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

# The names as people write them, without case and punctuation.
HELD_OUT: Mapping[str, str] = {
    "mmlu": "MMLU (as RouteLLM measures it)",
    "gsm8k": "GSM8K (as RouteLLM measures it)",
    "gradeschoolmath": "GSM8K (as RouteLLM measures it)",
    "mtbench": "MT-Bench",
    "routellm": "RouteLLM's evaluation sets",
    "flask": "FLASK",
    "routerarena": "RouterArena",
    "arenahard": "Arena-Hard",
}

# Runs of 13 words, and none of those that stand in more than ten rows, which are forms and not questions:
# the contamination test of GPT-3 (Brown et al. 2020, arXiv:2005.14165, appendix C).
_SHINGLE_WORDS = 13
_FORM_ROWS = 10
# A shorter text counts only as a whole, and only where it is long enough to say something.
_LEAST_WORDS = 4

_WORD = re.compile(r"\w+")

Fingerprints = Mapping[int, str]


class HeldOutError(ValueError):
    """Held-out files that cannot be read; the message says which, and what would do."""


def held_out_name(name: str) -> str | None:
    """Return the benchmark that a source's, dataset's or file's name speaks of, if it is one.

    >>> held_out_name("lm-sys/MT_Bench.jsonl"), held_out_name("nine_models")
    ('MT-Bench', None)
    """
    plain = re.sub(r"[\W_]", "", name.casefold())
    return next((title for key, title in HELD_OUT.items() if key in plain), None)


def fingerprints(folder: Path) -> Fingerprints:
    """Return the hashed runs of words of every .jsonl, .jsonl.gz, .json, .csv and .txt file in a folder.

    Each hash leads to the name of the file it came from. Raises HeldOutError where there is nothing to read.
    """
    known: dict[int, str] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            for text in _texts(file):
                known.update(dict.fromkeys(_shingles(text), file.name))
    if not known:
        raise HeldOutError(
            f"{folder} holds no text. Name a folder of .jsonl, .jsonl.gz, .json, .csv or .txt files."
        )
    return known


def known_rows(prompts: Sequence[str], known: Fingerprints) -> dict[int, str]:
    """Return the places of the prompts that share a run of words with the benchmarks, and with which file."""
    hits = [_shingles(prompt) & known.keys() for prompt in prompts]
    rows_with = Counter(shingle for found in hits for shingle in found)
    telling = (
        (place, [one for one in found if rows_with[one] <= _FORM_ROWS]) for place, found in enumerate(hits)
    )
    return {place: known[min(found)] for place, found in telling if found}


def _shingles(text: str) -> set[int]:
    words = _WORD.findall(text.casefold())
    if len(words) < _LEAST_WORDS:
        return set()
    last = max(1, len(words) - _SHINGLE_WORDS + 1)
    return {_hash(words[start : start + _SHINGLE_WORDS]) for start in range(last)}


def _hash(words: Sequence[str]) -> int:
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest())


def _texts(file: Path) -> Iterator[str]:
    try:
        if file.name.endswith((".jsonl", ".jsonl.gz")):
            for line in _lines(file):
                yield from _strings(json.loads(line)) if line.strip() else ()
        elif file.suffix == ".json":
            yield from _strings(json.loads(file.read_text(encoding="utf-8")))
        elif file.suffix == ".csv":
            with file.open(encoding="utf-8", newline="") as rows:
                for row in csv.reader(rows):
                    yield from row
        elif file.suffix == ".txt":
            yield from _lines(file)
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise HeldOutError(f"{file} cannot be read as {file.suffix[1:]}: {error}.") from error


def _lines(file: Path) -> Iterator[str]:
    unpacked = gzip.open if file.suffix == ".gz" else open
    with unpacked(file, "rt", encoding="utf-8") as lines:
        yield from lines


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
