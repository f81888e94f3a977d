"""Sources from their public homes, through Hugging Face `datasets`; the only module that knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from training.sources import Outcome, Source, SourceError


@dataclass(frozen=True, slots=True)
class _Home:
    """A dataset of the hub, and how its rows become outcomes."""

    path: str
    subset: str
    rows: Callable[[Source, Any], Iterator[Outcome]]


def read_home(source: Source, cache: Path) -> Iterator[Outcome]:
    """Yield the rows of a source from its public home; what was fetched stays in the cache.

    Raises SourceError where the home cannot be read: without the client, without the network, or because it
    holds no format that can be read safely. Each time it says what to do instead.
    """
    home = _HOMES.get(source.name)
    if home is None:
        raise SourceError(
            f"{source.name} cannot be fetched: {_WHY_NOT[source.name]}. "
            f"Put {source.file} into a folder and name it with --from (docs/data.md says what it holds)."
        )
    try:
        client = import_module("datasets")
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{source.name}: fetching it needs more: pip install 'weighbridge[sources]'. "
            "Or name a folder that holds it with --from."
        ) from error
    try:
        splits = client.load_dataset(home.path, home.subset, cache_dir=str(cache / "datasets"))
    # The client raises its own, the hub's, fsspec's and the operating system's errors: all mean the same.
    except Exception as error:
        raise SourceError(
            f"{source.name} could not be fetched from {source.home}: {error}. Check the connection, or name "
            "a folder that holds it with --from; weighbridge sources --help says more."
        ) from error
    return home.rows(source, splits)


def _clinc(source: Source, splits: Mapping[str, Any]) -> Iterator[Outcome]:
    """Yield the requests that have an intent; those out of scope have none, and may be of any difficulty."""
    try:
        for split, table in splits.items():
            intents = table.features["intent"]
            for number, row in enumerate(table):
                task = intents.int2str(row["intent"])
                if task != "oos":
                    yield Outcome(f"clinc-{split}-{number}", source.name, task, str(row["text"]))
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise SourceError(
            f"{source.home} is not in the format that is known (columns text and intent): {error!r}. "
            "Name a folder that holds it with --from."
        ) from error


_HOMES: Mapping[str, _Home] = {"clinc150": _Home("clinc/clinc_oos", "plus", _clinc)}

_WHY_NOT: Mapping[str, str] = {
    "nine_models": "its home is a code repository, and the rows there still hold some of the benchmarks",
    "routerbench": "its home holds pickled tables only, which can run code when they are opened",
    "seven_small_models": "the format of its home is not confirmed, and no licence is stated",
    "alpaca_eval": "its home publishes preferences per model, which are put together by hand",
}
