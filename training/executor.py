"""Where the work of a run is done: the same task over many items, here, in processes beside, or on a cluster.

A task is a function of what all items share and of one item. It runs under one thread of algebra wherever it
runs, and results come in the order of the items: what comes out is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Protocol, TypeVar

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.config import TrainingConfig

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

# What the figures depend on; where one of them differs, so may the last bits.
_LIBRARIES = ("weighbridge", "numpy", "scipy", "scikit-learn", "onnxruntime", "tokenizers")


class ExecutorError(RuntimeError):
    """Work cannot be done where it should; the message says why, and the way out."""


class Executor(Protocol):
    """Does a task over many items, somewhere."""

    def map(
        self, task: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield task(shared, item) for each item, in their order; raise what a task raises."""

    def close(self) -> None:
        """Give back what was taken for the work."""


class LocalExecutor:
    """This machine: this process for one worker, else processes beside it."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def map(
        self, task: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield the results in order; what is shared reaches each process once, through files."""
        parallel = Parallel(n_jobs=self._workers, return_as="generator", mmap_mode="c")
        yield from parallel(delayed(limited)(task, shared, item) for item in items)

    def close(self) -> None:
        """Leave the processes to end by themselves: the next run may want them."""


@contextmanager
def opened(config: TrainingConfig) -> Iterator[Executor]:
    """Yield the executor that the config names."""
    if config.executor == "ray":
        from training.ray_executor import RayExecutor  # noqa: PLC0415  # an extra

        executor: Executor = RayExecutor(config.ray_address, config.workers)
    else:
        executor = LocalExecutor(config.workers)
    try:
        yield executor
    finally:
        executor.close()


def limited(task: Callable[[Shared, Item], Result], shared: Shared, item: Item) -> Result:
    """Do a task under one thread of algebra, as everywhere: sums in one order give the same bytes."""
    with threadpool_limits(1):
        return task(shared, item)


def libraries() -> dict[str, str]:
    """Return the versions of what the figures depend on."""
    found = {"python": python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def check_libraries(here: dict[str, str], there: dict[str, str], where: str) -> None:
    """Refuse a worker whose libraries differ from those here."""
    for name, wanted in here.items():
        found = there.get(name, "missing")
        if found != wanted:
            raise ExecutorError(
                f"The worker on {where} has {name} {found}, here it is {wanted}: the result would not be the "
                "same. Install the same there: pip install -c constraints.txt 'weighbridge[training,ray]'."
            )
