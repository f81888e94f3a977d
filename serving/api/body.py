"""Reads a request's body: no more of it than the settings allow, no longer, and never unpacked."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from serving.errors import BodyTooLarge, BodyTooSlow, UnsupportedEncoding


async def read(request: Request, limit_bytes: int, timeout_s: float) -> bytes:
    """Return the raw body; raise BodyTooLarge once it is known to be longer, BodyTooSlow once late.

    A packed body is refused: a small one can hold more than memory does.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedEncoding(
            f"content-encoding: a body packed with {encoding[:40]!r} is not read. Send it as it is."
        )
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _all(request, limit_bytes)
    except TimeoutError:
        raise BodyTooSlow(
            f"The body was not there after {timeout_s:g} s. Send it faster, or raise server.body_timeout_s."
        ) from None


async def _all(request: Request, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    length = 0
    async for piece in request.stream():
        length += len(piece)
        if length > limit_bytes:
            raise _too_large(limit_bytes)
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body is longer than {limit_bytes:,} bytes. Send less, or raise server.max_body_bytes."
    )


__all__ = ["ClientDisconnect", "read"]
