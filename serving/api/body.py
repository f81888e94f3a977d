"""Reads a request's body: no more of it than the settings allow, no longer, and never unpacked."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from serving.deadlines import Deadlines
from serving.errors import BodyTooLarge, BodyTooSlow, UnsupportedEncoding

_PLAIN = ("", "identity")


async def read(request: Request, limit_bytes: int, timeout_s: float, deadlines: Deadlines) -> bytes:
    """Return the raw body; raise BodyTooLarge once it is known to be longer, BodyTooSlow once late.

    A packed body is refused: a small one can hold more than memory does.
    """
    encoding, announced = _announced(request.scope["headers"])
    if encoding not in _PLAIN:
        raise UnsupportedEncoding(
            f"content-encoding: a body packed with {encoding[:40]!r} is not read. Send it as it is."
        )
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        with deadlines.within(timeout_s):
            return await _all(request.receive, limit_bytes)
    except TimeoutError:
        raise BodyTooSlow(
            f"The body was not there after {timeout_s:g} s. Send it faster, or raise server.body_timeout_s."
        ) from None


def _announced(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, bytes]:
    """Return the encoding and the length that a request's headers tell."""
    encoding, length = "", b""
    for name, value in headers:
        if name == b"content-encoding" and encoding in _PLAIN:
            encoding = value.decode("latin-1").strip().lower()
        elif name == b"content-length":
            length = value
    return encoding, length


async def _all(receive: Receive, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        length += len(piece)
        if length > limit_bytes:
            raise _too_large(limit_bytes)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body is longer than {limit_bytes:,} bytes. Send less, or raise server.max_body_bytes."
    )


__all__ = ["ClientDisconnect", "read"]
