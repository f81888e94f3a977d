"""Reads a request's body, never more of it than the settings allow."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from serving.errors import BodyTooLarge


async def read(request: Request, limit_bytes: int) -> bytes:
    """Return the raw body; raise BodyTooLarge as soon as it is known to be longer than the limit."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
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
