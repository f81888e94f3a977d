"""Work on a Ray cluster, or on a Ray of this machine's own; the only module that knows Ray."""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from training.executor import ExecutorError, check_libraries, libraries, limited

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

# How many tasks a worker has before it: it never waits for the next, and no cluster holds the whole log.
_AHEAD = 2
# A worker that dies is replaced, and its task done again: it has no effect but its result.
_TRIES_AGAIN = 3
_KNOCK_S = 5.0
_STARTS = 3


class RayExecutor:
    """Each item a Ray task; what is shared is put into Ray's store once.

    `address` is such as `10.0.0.5:6379`, `ray://10.0.0.5:10001` or `auto`; without one a Ray is started here
    for as long as the run takes, with so many workers. On several machines each has the same Weighbridge
    with the same libraries: workers that have not are refused.
    """

    def __init__(self, address: str | None, workers: int) -> None:
        self._ray = _ray(address)
        try:
            self._start(address, workers)
        except Exception as error:
            # a start that takes too long is a bare Exception; what a cluster refuses stands in the last line
            reason = str(error.__cause__ or error).strip().rpartition("\n")[2][:300]
            raise ExecutorError(
                f"No Ray {'at ' + address if address else 'could be started here'} ({reason}). "
                "Name another with --ray-address, or train without it: --executor local."
            ) from error
        self._workers = max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def map(
        self, task: Callable[[Shared, Item], Result], shared: Shared, items: Iterable[Item]
    ) -> Iterator[Result]:
        """Yield the results in order, a few tasks ahead of whoever takes them."""
        remote = self._ray.remote(num_cpus=1, max_retries=_TRIES_AGAIN)(_checked)
        kept, here = self._ray.put(shared), libraries()
        left = iter(items)
        begun = deque(remote.remote(task, kept, item, here) for item in islice(left, _AHEAD * self._workers))
        while begun:
            found = self._result(begun.popleft())
            begun.extend(remote.remote(task, kept, item, here) for item in islice(left, 1))
            yield found

    def close(self) -> None:
        """Leave the cluster, or end the Ray that was started here."""
        self._ray.shutdown()

    def _start(self, address: str | None, workers: int) -> None:
        quiet: dict[str, Any] = {
            "log_to_driver": False, "configure_logging": True, "logging_level": logging.ERROR,
        }  # fmt: skip
        if address:
            _knock(address)
            self._ray.init(address=address, **quiet)
            return
        for start in range(_STARTS, 0, -1):
            try:
                self._ray.init(num_cpus=workers, include_dashboard=False, **quiet)
                return
            except Exception:
                # Ray waits half a minute, which a busy machine may need for once
                self._ray.shutdown()
                if start == 1:
                    raise

    def _result(self, begun: Any) -> Any:
        """Return a task's result, or raise what it raised, as if it had been done here."""
        try:
            return self._ray.get(begun)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            raise ExecutorError(
                f"Ray lost the work ({str(error).strip().partition(chr(10))[0]}). Nothing was written; "
                "run it again, or without Ray: --executor local."
            ) from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself would try for more than a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _KNOCK_S).close()


def _checked(
    task: Callable[[Shared, Item], Result], shared: Shared, item: Item, here: dict[str, str]
) -> Result:
    check_libraries(here, libraries(), socket.gethostname())
    return limited(task, shared, item)


def _ray(address: str | None) -> Any:
    # Nobody is told of a run.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address:
        # read at the import: a Ray of this machine's own then listens on 127.0.0.1 alone, on Linux too
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray  # noqa: PLC0415  # an extra, and a second to import
        import ray.exceptions  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExecutorError(
            f"{error}. executor = \"ray\" needs more: pip install 'weighbridge[training,ray]'."
        ) from error
    return ray
