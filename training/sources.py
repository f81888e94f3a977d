"""Public outcome data by name: where it lives, under which licence, and how a row of it is read.

Two ways in: from its public home (`training.homes`), or from a folder of JSON Lines or of copies.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from classifier.artifact import sha256
from training.benchmarks import held_out_name


class SourceError(ValueError):
    """Outcome data that cannot be had or may not be used; the message says why, and the way out."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One prompt with the scores (0–1) that models reached on it; no scores where any model will do."""

    id: str
    source: str
    task: str
    prompt: str
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """One public data set; `file` and its `sha256` are what a local folder holds of it, made ready.

    Without a `file` a folder holds copies of what its home has (`training.homes`).

    `everyday` says that its prompts are such that the cheapest tier is enough for all of them. `shares` names
    benchmarks whose prompts come from the same place, so that nothing is learned without a match by content.
    """

    name: str
    what: str
    home: str
    file: str
    sha256: str
    licence: str
    may_train: bool
    everyday: bool = False
    rows: int = 0
    shares: str = ""


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source(
            "nine_models",
            "correctness of nine models, 7B to 51B, on questions of 14 tasks (LLMRouter's example data)",
            "https://github.com/ulab-uiuc/LLMRouter",
            "nine_models_14_tasks.jsonl.gz",
            "5ff6f72750cc276178c7dc0e01188d2cd586169e020fc943daabac8c880d3547",
            "MIT",
            may_train=True,
            rows=5758,
        ),
        Source(
            "routerbench",
            "correctness and cost of eleven models, zero-shot (RouterBench)",
            "https://huggingface.co/datasets/withmartian/routerbench",
            "routerbench_eleven_models.jsonl.gz",
            "7fea1d39053afc0d6055bcd81c347a6343dadba2910927647cd2edc44d23295c",
            "MIT",
            may_train=True,
            rows=3174,
        ),
        Source(
            "clinc150",
            "one-line requests to an assistant, 150 intents",
            "https://huggingface.co/datasets/clinc/clinc_oos",
            "clinc150_short_requests.jsonl.gz",
            "026ea6f6055591ebaf108f1f5c62e5305754868bff9857b9f94498c17c6731a0",
            "CC BY 3.0",
            may_train=True,
            everyday=True,
            rows=6000,
        ),
        Source(
            "arena_55k",
            "votes between two of 64 models on what people asked in Chatbot Arena",
            "https://huggingface.co/datasets/lmarena-ai/arena-human-preference-55k",
            "",
            "",
            "Apache-2.0",
            may_train=True,
            rows=57477,
            shares="Arena-Hard and MT-Bench",
        ),
        Source(
            "xroutebench",
            "scores of eighteen models on the generic tasks of xRouteBench (LLMRouter)",
            "https://huggingface.co/datasets/ulab-ai/xRouteBench",
            "",
            "",
            "none stated",
            may_train=False,
            rows=8218,
        ),
        Source(
            "seven_small_models",
            "scores of seven models of 7B to 8B on English, Chinese and code tasks (RouterDC)",
            "https://huggingface.co/datasets/shuhao02/RouterDC",
            "seven_small_models.jsonl.gz",
            "61ba63740e34171daea1357b83ab5d7a93c474c5ee954cc908e168b61a47036c",
            "none stated",
            may_train=False,
            rows=7673,
        ),
        Source(
            "alpaca_eval",
            "preferences of 58 models against gpt-4-turbo on open-ended instructions (AlpacaEval)",
            "https://huggingface.co/datasets/tatsu-lab/alpaca_eval",
            "alpaca_eval_preferences.jsonl.gz",
            "42535affedb47d0fef0ddb23fa14694d9bf6d087bf403758e19e18a9f534f14e",
            "CC BY-NC 4.0",
            may_train=False,
            rows=419,
        ),
    )
}


def source_named(name: str, *, training: bool) -> Source:
    """Return a source; raise SourceError for an unknown one, and for one whose licence forbids training."""
    source = SOURCES.get(name)
    if source is None:
        benchmark = held_out_name(name)
        if benchmark:
            raise SourceError(
                f"{name!r} is refused: {benchmark} is kept for measurement, and what is trained on it proves "
                f"nothing. Known sources: {', '.join(SOURCES)}."
            )
        raise SourceError(f"There is no source {name!r}. Known: {', '.join(SOURCES)}.")
    if training and not source.may_train:
        allowed = ", ".join(known.name for known in SOURCES.values() if known.may_train)
        raise SourceError(
            f"{name} may not train an artifact (licence: {source.licence}); it is for evaluation. "
            f"These may: {allowed}."
        )
    return source


def read_folder(source: Source, folder: Path) -> Iterator[Outcome]:
    """Yield the rows of a source from its file in a local folder; raise SourceError where it is another."""
    benchmark = held_out_name(folder.resolve().name)
    if benchmark:
        raise SourceError(f"{folder} is refused: by its name it holds {benchmark}, kept for measurement.")
    file = folder / source.file
    if not source.file or not file.is_file():
        raise SourceError(
            f"{folder} has no {source.file or 'file of ' + source.name}. Name the folder that holds it with "
            f"--from, under the name that it has there or in its home, {source.home}."
        )
    found = sha256(file)
    if found != source.sha256:
        raise SourceError(
            f"{file} is not the file that is known: its SHA-256 is {found[:12]}…, "
            f"expected {source.sha256[:12]}…."
        )
    number = 0
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                number += 1
                yield _outcome(json.loads(line), source)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{file.name} is damaged near line {number}: {error!r}. Get it again from {source.home}."
        ) from error


def _outcome(row: Mapping[str, Any], source: Source) -> Outcome:
    scores = {
        str(model): float(score)
        for model, score in (row.get("scores") or {}).items()
        if score is not None and not math.isnan(score)
    }
    return Outcome(str(row["id"]), source.name, str(row["task"]), str(row["prompt"]), scores)
