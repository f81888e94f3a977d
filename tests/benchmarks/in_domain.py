"""What labels of a task's own teach of it: ways to learn from them beside prompt length and a table of tasks.

    python -m tests.benchmarks.in_domain --from FOLDER

reads `nine_models` and `routerbench` (docs/data.md) out of a folder; nothing of them is in this repository.
Each prompt is ranked by what was learned from the task's other folds, without the corpus or any artifact.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.features import features
from classifier.reading import read
from training.areas import areas
from training.config import TrainingConfig
from training.embedding import embed, make_encoder
from training.in_domain import by_own_labels, task_table
from training.outcome_pairs import OUTCOME_FAMILIES, pairs_of
from training.outcomes import without_form
from training.sources import SOURCES, Outcome, SourceError, read_folder

Numbers = npt.NDArray[np.float64]
_FOLDS = 5
_LEAST_ROWS = 100


def main() -> int:
    """Print a table for each source and pair of models."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--from", dest="folder", type=Path, required=True)
    options.add_argument("--resamples", type=int, default=1_000)
    given = options.parse_args()
    config = TrainingConfig(resamples=given.resamples)
    for name in ("nine_models", "routerbench"):
        try:
            rows = without_form(list(read_folder(SOURCES[name], given.folder)))
        except SourceError as error:
            print(error, file=sys.stderr)
            return 1
        for line in report(name, rows, config):
            print(line, flush=True)
    return 0


def report(name: str, rows: Sequence[Outcome], config: TrainingConfig) -> Iterator[str]:
    """Yield lines: for each pair, each task and each family of tasks, the area that every way recovers."""
    columns = _columns(rows, config)
    tasks = np.array([row.task for row in rows], dtype=object)
    parts = {task: [task] for task in sorted(set(tasks))} | dict(OUTCOME_FAMILIES.get(name, {}))
    for pair, (weak, strong) in pairs_of(name, config).items():
        yield f"\n{name}, {pair}: area recovered (95 %), what is said beside length and beside the task table"
        for part, of in parts.items():
            inside = np.isin(tasks, list(of)) & _answered(rows, {*weak, *strong})
            if inside.sum() < _LEAST_ROWS:
                continue
            chosen = [rows[place] for place in np.flatnonzero(inside)]
            scores = [_mean(chosen, side) for side in (weak, strong)]
            found = _areas({one: block[inside] for one, block in columns.items()}, chosen, *scores, config)
            yield from _lines(part, found, scores)


def _columns(rows: Sequence[Outcome], config: TrainingConfig) -> dict[str, Numbers]:
    encoder = make_encoder(config)
    readings = [read(row.prompt) for row in rows]
    surface = np.stack([features(reading) for reading in readings])
    embedded = embed(encoder, encoder.feeder().feeds(readings))
    length = np.array([[float(reading.request_chars)] for reading in readings])
    return {
        "length": length,
        "features": surface,
        "embedding": embedded,
        "both": np.hstack([embedded, surface]),
    }


def _areas(
    columns: Mapping[str, Numbers],
    rows: Sequence[Outcome],
    weak: Numbers,
    strong: Numbers,
    config: TrainingConfig,
) -> dict[str, Any]:
    folds = np.random.default_rng(config.seed).permutation(len(rows)) % _FOLDS
    gain = strong - weak
    tables = {
        "length": columns["length"][:, 0],
        "task_table": task_table([row.task for row in rows], gain, folds),
    }
    if len({row.task for row in rows}) == 1:
        tables["task_table"] = np.zeros(len(rows))
    ways = {
        f"{what} from {block}": by_own_labels(columns[block], target, folds, config.clip)
        for what, target in (("gain", gain), ("weak's failure", 1.0 - weak))
        for block in ("features", "embedding", "both")
    }
    return areas({**tables, **ways}, weak, strong, list(tables), config.seed, config.resamples)


def _lines(part: str, found: Mapping[str, Any], scores: Sequence[Numbers]) -> Iterator[str]:
    weak, strong = (float(side.mean()) for side in scores)
    yield f"  {part}: {found['rows']:,} prompts, weak {weak:.3f}, strong {strong:.3f}"
    for way, bounds in found["intervals"].items():
        said = [found["against"][other].get(way, {}).get("said", "") for other in ("length", "task_table")]
        interval = f"{bounds['value']:.3f} [{bounds['low']:.3f}, {bounds['high']:.3f}]"
        yield f"    {way:<32}{interval}  {'; '.join(said)}"


def _answered(rows: Sequence[Outcome], models: set[str]) -> npt.NDArray[np.bool_]:
    return np.array([models <= row.scores.keys() for row in rows])


def _mean(rows: Sequence[Outcome], models: Sequence[str]) -> Numbers:
    return np.array([np.mean([row.scores[model] for model in models]) for row in rows])


if __name__ == "__main__":
    sys.exit(main())
