"""Server-sent events out of a byte stream, however the network cut it."""

from __future__ import annotations

# An event larger than this is no chat chunk but a fault, or an attack on memory.
MAX_EVENT_BYTES = 8_000_000

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLarge(Exception):
    """An event grew beyond MAX_EVENT_BYTES without ending."""


class EventSplitter:
    """Feed it bytes, take whole events' data; comments, ids and event names are dropped.

    Line ends may be LF, CRLF or CR, mixed, and cut anywhere. An event's data lines are joined by LF.
    `plain` is the piece that was fed last where `event` would write the same bytes again, else None.

    >>> splitter = EventSplitter()
    >>> splitter.feed(b'data: {"a"'), splitter.feed(b': 1}\\r\\n\\r\\n')
    ([], [b'{"a": 1}'])
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self.plain: bytes | None = None

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that this piece completes; raise EventTooLarge."""
        if not (self._rest or self._data or self._after_cr):
            whole = _plain(piece)
            if whole is not None:
                self.plain = piece
                return whole
        self.plain = None
        # a CR has ended its line already: the LF of a CRLF that was cut in two is not another end
        text = piece[1:] if self._after_cr and piece.startswith(b"\n") else piece
        if piece:
            self._after_cr = piece.endswith(b"\r")
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *more = text.split(b"\n")
        self._rest += first
        found: list[bytes] = []
        if more:
            *lines, rest = more
            self._take(bytes(self._rest), found)
            for line in lines:
                self._take(line, found)
            self._rest = bytearray(rest)
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"An event is longer than {MAX_EVENT_BYTES:,} bytes.")
        return found

    def end(self) -> list[bytes]:
        """Return what an event that was never ended by a blank line held."""
        self.plain = None
        found: list[bytes] = []
        self._take(bytes(self._rest), found)
        self._rest.clear()
        self._take(b"", found)
        return found

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if line.startswith(_BYTE_ORDER_MARK):
            line = line[len(_BYTE_ORDER_MARK) :]
        if line.startswith(b"data:"):
            data = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(data)
            # one more for the line itself, so that empty lines without end are noticed too
            self._size += len(data) + 1
        elif not line and self._data:
            found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data, self._size = [], 0


def _plain(piece: bytes) -> list[bytes] | None:
    """Return the data of whole events of one line each, as most providers write them; None for others."""
    if not (piece.startswith(b"data: ") and piece.endswith(b"\n\n")) or b"\r" in piece:
        return None
    found = piece[len(b"data: ") : -len(b"\n\n")].split(b"\n\ndata: ")
    # a line end within an event would be one more; an event that large is left to be refused
    is_whole = piece.count(b"\n") == 2 * len(found) and len(piece) < MAX_EVENT_BYTES
    return found if is_whole else None


def event(data: bytes) -> bytes:
    """Return data as one server-sent event; line feeds in it become further data lines.

    >>> event(b"[DONE]")
    b'data: [DONE]\\n\\n'
    """
    if b"\n" in data:
        data = data.replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\n\n"
