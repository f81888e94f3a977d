"""Remembers what providers want back with a tool call, for callers whose SDK drops fields it does not know.

Thinking blocks and thought signatures travel in the answer; most agents send the message back as it was.
Some rebuild it from the call's id, name and arguments alone. For those the last ones are kept here, by the
call's id, which nobody can guess: in memory, bounded, and gone with the process.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

_MOST = 2_000
_MOST_BYTES = 16_000_000


class Signatures:
    """The newest ones, by the id of the tool call they came with."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._size = 0

    def keep(self, call_id: str, value: Any, size: int) -> None:
        """Keep a value of about `size` bytes; the oldest make room."""
        self._size += size - self._kept.pop(call_id, (None, 0))[1]
        self._kept[call_id] = (value, size)
        while len(self._kept) > _MOST or self._size > _MOST_BYTES:
            _, (_, freed) = self._kept.popitem(last=False)
            self._size -= freed

    def of(self, call_id: str) -> Any:
        """Return what came with this call, or None."""
        return self._kept.get(call_id, (None, 0))[0]
