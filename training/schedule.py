"""A round of work again and again; one that fails is told, and the next comes all the same."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds_of(text: str) -> int:
    """Return a duration such as 90s, 30m, 24h or 7d in seconds; raise ValueError for anything else.

    >>> seconds_of("24h")
    86400
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([smhd])", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration. Give one such as 30m, 24h or 7d.")
    return int(found[1]) * _SECONDS[found[2]]


def every(
    seconds: float,
    work: Callable[[], object],
    failed: Callable[[Exception], object],
    sleep: Callable[[float], object] = time.sleep,
    rounds: int | None = None,
) -> None:
    """Work, and again each time so many seconds after the last beginning, or at once where that took longer.

    Without `rounds` it goes on until it is stopped.
    """
    done = 0
    while rounds is None or done < rounds:
        began = time.monotonic()
        try:
            work()
        except Exception as error:  # a failed round must not end the schedule
            failed(error)
        done += 1
        if rounds is None or done < rounds:
            sleep(max(0.0, seconds - (time.monotonic() - began)))
