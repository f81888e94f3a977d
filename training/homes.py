"""Sources from their public homes: which files they are made of there, and how a row of them is read."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.downloads import RemoteFile, client, fetch, prove
from training.pickled import PickledTableError, pickled_columns
from training.sources import Outcome, Source, SourceError

_HUB = "https://huggingface.co/datasets"
_CLINC = f"{_HUB}/clinc/clinc_oos/resolve/155b9c710419136e17307b80d0a13e68cd46b4ec/plus"
_XROUTE = f"{_HUB}/ulab-ai/xRouteBench/resolve/ea4b6e1b29d9a734f55f0a637baf326bad6aa681/llmrouter_generic"
_LLMROUTER = "https://raw.githubusercontent.com/ulab-uiuc/LLMRouter/main/data/example_data/routing_data"


# From a source, its files on this disk, and a folder for what the client keeps.
Read = Callable[[Source, Sequence[Path], Path], Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Home:
    """The files of a source in its home, and how they become outcomes; `why_not` where that cannot be."""

    files: tuple[RemoteFile, ...] = ()
    rows: Read | None = None
    why_not: str = ""


def read_home(source: Source, cache: Path) -> Iterator[Outcome]:
    """Yield the rows of a source from its public home; what was fetched stays in the caches.

    Raises SourceError where the home cannot be read: without the client, without the network, or because it
    holds no format that is known. Each time it says what to do instead.
    """
    home = HOMES[source.name]
    if home.rows is None:
        raise SourceError(
            f"{source.name} cannot be fetched: {home.why_not}. "
            f"Put {source.file} into a folder and name it with --from (docs/data.md says what it holds)."
        )
    return _rows(source, fetch(source, home.files, cache), cache)


def has_copies(source: Source, folder: Path) -> bool:
    """Return whether a folder holds the files of a source's home, under the names that they have there."""
    files = HOMES[source.name].files
    return bool(files) and all((folder / file.name).is_file() for file in files)


def read_copies(source: Source, folder: Path, cache: Path) -> Iterator[Outcome]:
    """Yield the rows of a source from copies of its home's files; raise SourceError where one is another."""
    files = HOMES[source.name].files
    for file in files:
        prove(file, folder / file.name)
    return _rows(source, [folder / file.name for file in files], cache)


def _rows(source: Source, paths: Sequence[Path], cache: Path) -> Iterator[Outcome]:
    read = HOMES[source.name].rows
    try:
        yield from read(source, paths, cache) if read else ()
    except (PickledTableError, AttributeError, KeyError, TypeError, ValueError, SyntaxError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(
            f"{source.home} is not in the format that is known: {error!r}. Its owner may have changed it; "
            "name a folder that holds an older copy with --from."
        ) from error


def _table(source: Source, kind: str, path: Path, cache: Path) -> Any:
    """Return one file as a table of the client."""
    datasets = client(source)
    try:
        return datasets.load_dataset(
            kind, data_files=str(path), split="train", cache_dir=str(cache / "datasets")
        )
    except Exception as error:  # its own errors and those of the readers below it
        raise SourceError(f"{source.name}: {path.name} cannot be read as {kind}: {error}.") from error


def _clinc(source: Source, paths: Sequence[Path], cache: Path) -> Iterator[Outcome]:
    """Yield the requests that have an intent; those out of scope have none, and may be of any difficulty."""
    for split, path in zip(("train", "validation", "test"), paths, strict=True):
        table = _table(source, "parquet", path, cache)
        intents = table.features["intent"]
        for number, row in enumerate(table):
            task = intents.int2str(row["intent"])
            if task != "oos":
                yield Outcome(f"clinc-{split}-{number}", source.name, task, str(row["text"]))


def _routerbench(source: Source, paths: Sequence[Path], _: Path) -> Iterator[Outcome]:
    """Yield a row per prompt; beside a model's column of scores stand its answers and its costs."""
    columns = pickled_columns(paths[0].read_bytes())
    models = [name.removesuffix("|total_cost") for name in columns if name.endswith("|total_cost")]
    kept = (
        columns["sample_id"],
        columns["eval_name"],
        columns["prompt"],
        *(columns[name] for name in models),
    )
    for sample, task, prompt, *scores in zip(*kept, strict=True):
        yield Outcome(
            f"rb-{sample}",
            source.name,
            str(task),
            _turns(str(prompt)),
            _scores(zip(models, scores, strict=True)),
        )


def _llmrouter_parquet(source: Source, paths: Sequence[Path], cache: Path) -> Iterator[Outcome]:
    return _by_prompt(source, (_table(source, "parquet", path, cache) for path in paths))


def _llmrouter_lines(source: Source, paths: Sequence[Path], _: Path) -> Iterator[Outcome]:
    # Line by line: a column that is a text in one row and a list in the next is no table for the client.
    def lines(path: Path) -> Iterator[Mapping[str, Any]]:
        with path.open(encoding="utf-8") as found:
            yield from (json.loads(line) for line in found if line.strip())

    return _by_prompt(source, (lines(path) for path in paths))


def _by_prompt(source: Source, tables: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[Outcome]:
    """Yield a row per prompt of LLMRouter's tables, which have one per prompt and model."""
    for split, table in zip(("train", "test"), tables, strict=True):
        found: dict[tuple[str, str], list[tuple[str, Any]]] = {}
        for row in table:
            key = (str(row["task_name"]), str(row["query"]))
            found.setdefault(key, []).append((str(row["model_name"]), row["performance"]))
        for number, ((task, prompt), scores) in enumerate(found.items()):
            yield Outcome(f"{source.name}-{split}-{number}", source.name, task, prompt, _scores(scores))


def _arena(source: Source, paths: Sequence[Path], cache: Path) -> Iterator[Outcome]:
    """Yield one row per vote: the winner scores 1, the loser 0, and 0.5 each after a tie.

    Of a conversation, the user's turns stand in one prompt, as they were sent one after the other.
    """
    for row in _table(source, "csv", paths[0], cache):
        won, lost = float(row["winner_model_a"]), float(row["winner_model_b"])
        half = 0.5 * float(row["winner_tie"])
        scores = _scores([(str(row["model_a"]), won + half), (str(row["model_b"]), lost + half)])
        said = "\n\n".join(str(turn) for turn in json.loads(row["prompt"]) if turn)
        # Some end in half of a surrogate pair, which is no character.
        prompt = said.encode("utf-8", "replace").decode()
        if prompt:
            yield Outcome(f"arena-{row['id']}", source.name, "arena", prompt, scores)


def _turns(prompt: str) -> str:
    """Return a prompt that is kept as the text of a Python list of turns as the turns themselves.

    >>> _turns("['Add 2 and 3.', 'Now double it.']"), _turns("[sic] it says")
    ('Add 2 and 3.\\n\\nNow double it.', '[sic] it says')
    """
    if not prompt.startswith("["):
        return prompt
    try:
        found = ast.literal_eval(prompt)
    except (ValueError, SyntaxError):
        return prompt
    return "\n\n".join(str(turn) for turn in found) if isinstance(found, list) else prompt


def _scores(found: Iterable[tuple[str, Any]]) -> Mapping[str, float]:
    """Return the scores that are numbers; the rest were not measured."""
    numbers = ((model, None if score is None else float(score)) for model, score in found)
    return {model: score for model, score in numbers if score is not None and score == score}


HOMES: Mapping[str, Home] = {
    # The revision and checksum that others have published of it; the home holds no other format.
    "routerbench": Home(
        (
            RemoteFile(
                f"{_HUB}/withmartian/routerbench/resolve/784021482c3f320c6619ed4b3bb3b41a21424fcb/"
                "routerbench_0shot.pkl",
                "ba4f77f19517610a707c374e99322d7750c30fc4ae7ff5527888595a1e65d36d",
            ),
        ),
        _routerbench,
    ),
    "clinc150": Home(
        (
            RemoteFile(
                f"{_CLINC}/train-00000-of-00001.parquet",
                "30188119cf9f86fc9db27e1c22442d091cb5cb0913c9496f945fe11e7a02a28f",
            ),
            RemoteFile(
                f"{_CLINC}/validation-00000-of-00001.parquet",
                "fbd545b46c611c4a7ba4b48cae6c7f09bb5b59f33ff56206ad1cd366c85cdfaa",
            ),
            RemoteFile(
                f"{_CLINC}/test-00000-of-00001.parquet",
                "3e60e45b25bf86543aa5df8ba4fcc674114164e6184f0197690648c2908d0102",
            ),
        ),
        _clinc,
    ),
    # Of these two no checksum is published, nor a revision that surely holds them: see `fetch`.
    "nine_models": Home(
        (
            RemoteFile(f"{_LLMROUTER}/default_routing_train_data.jsonl"),
            RemoteFile(f"{_LLMROUTER}/default_routing_test_data.jsonl"),
        ),
        _llmrouter_lines,
    ),
    "arena_55k": Home(
        (RemoteFile(f"{_HUB}/lmarena-ai/arena-human-preference-55k/resolve/main/train.csv"),), _arena
    ),
    "xroutebench": Home(
        (
            RemoteFile(
                f"{_XROUTE}/train.parquet", "6ae53d6b619396271e345a242bd32c253fc9796a45a75d3c122ad74843f8a7ef"
            ),
            RemoteFile(
                f"{_XROUTE}/test.parquet", "cc7f33f03298c734c1f4b3c380d8d9b84dc8723eb0d08f850de033d2645778f4"
            ),
        ),
        _llmrouter_parquet,
    ),
    "seven_small_models": Home(why_not="the format of its home is not confirmed, and no licence is stated"),
    "alpaca_eval": Home(why_not="its home publishes preferences per model, which are put together by hand"),
}
