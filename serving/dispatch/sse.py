"""Server-sent events out of a byte stream, however the network cut it."""

from __future__ import annotations

from collections.abc import Iterator

# An event larger than this is no chat chunk but a fault, or an attack on memory.
MAX_EVENT_BYTES = 8_000_000


class EventTooLarge(Exception):
    """An event grew beyond MAX_EVENT_BYTES without ending."""


class EventSplitter:
    """Feed it bytes, take whole events' data; comments, ids and event names are dropped.

    Line ends may be LF, CRLF or CR, mixed, and cut anywhere. An event's data lines are joined by LF.

    >>> splitter = EventSplitter()
    >>> list(splitter.feed(b'data: {"a"')), list(splitter.feed(b': 1}\\r\\n\\r\\n'))
    ([], [b'{"a": 1}'])
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the data of each event that this piece completes; raise EventTooLarge."""
        text = self._rest + piece
        # a CR at the very end may be the first half of a CRLF: wait for what follows
        held = b"\r" if text.endswith(b"\r") else b""
        lines = (text[: len(text) - len(held)] if held else text).replace(b"\r\n", b"\n")
        if b"\r" in lines:
            lines = lines.replace(b"\r", b"\n")
        *whole, rest = lines.split(b"\n")
        self._rest = rest + held
        for line in whole:
            yield from self._take(line)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"An event is longer than {MAX_EVENT_BYTES:,} bytes.")

    def end(self) -> Iterator[bytes]:
        """Yield what an event that was never ended by a blank line held."""
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        if rest:
            yield from self._take(rest)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            data = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(data)
            self._size += len(data)
        elif not line and self._data:
            event = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._data, self._size = [], 0
            yield event


def event(data: bytes) -> bytes:
    """Return data as one server-sent event; line feeds in it become further data lines.

    >>> event(b"[DONE]")
    b'data: [DONE]\\n\\n'
    """
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\n\n"
