"""A world of our own: sums are new and need the standard tier, rhymes the cheapest, proofs the dearest."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from training.simulation.plan import Plan
from training.sources import Outcome

MODELS = {"economy": ("small", "tiny"), "standard": ("middle",), "premium": ("large",)}
_NAMES = ("small", "tiny", "middle", "large")
_WORDS = (
    "apples",
    "ships",
    "bricks",
    "songs",
    "letters",
    "horses",
    "coins",
    "maps",
    "chairs",
    "seeds",
    "lamps",
)


def outcome(number: int, task: str, prompt: str, *scores: float) -> Outcome:
    return Outcome(f"row-{number}", "made", task, prompt, dict(zip(_NAMES, scores, strict=True)))


@pytest.fixture(scope="session")
def outcomes() -> list[Outcome]:
    draw = random.Random(3)
    rows = []
    for number in range(240):
        one, other = draw.sample(_WORDS, 2)
        count, more = draw.randint(2, 900), draw.randint(2, 900)
        rows.append(
            [
                outcome(number, "sums", f"{count} {one} and {more} {one} make how many?", 0, 0, 1, 1),
                outcome(number, "rhymes", f"Say something that rhymes with {one} {count}.", 1, 1, 1, 1),
                outcome(number, "proofs", f"Prove that {count} {one} exceed {more} {other}.", 0, 0, 0, 1),
            ][number % 3]
        )
    return rows


@pytest.fixture(scope="session")
def small_corpus(rows, tmp_path_factory) -> Path:
    """Every third row of the slice that training's tests learn from."""
    folder = tmp_path_factory.mktemp("small_corpus")
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[::3]))
    return folder


@pytest.fixture(scope="session")
def plan(config, small_corpus) -> Plan:
    return Plan(
        answers=(30, 60),
        arms=("never",),
        new_tasks=("sums",),
        fresh=0.2,
        base=0.3,
        feedback=0.95,
        callers=6,
        models=MODELS,
        training=replace(config, corpus=small_corpus, trees=0, dresses=0, folds=2, regularisation=(4.0,)),
    )
