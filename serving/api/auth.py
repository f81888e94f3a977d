"""Who may call: anyone while no keys are set, else whoever presents one of them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.requests import Request

from serving.errors import AuthenticationFailed
from serving.routing.request import Caller


class Keys:
    """The keys that callers may use, and who they are; only digests of the keys are kept."""

    def __init__(self, keys: frozenset[str], callers: Mapping[str, Caller] | None = None) -> None:
        known: dict[str, Caller | None] = dict.fromkeys(sorted(keys))
        known.update(callers or {})
        self._digests = [(_digest(key), caller) for key, caller in known.items()]

    @property
    def required(self) -> bool:
        """Tell whether callers must present a key."""
        return bool(self._digests)

    def check(self, request: Request) -> Caller | None:
        """Return who calls, None where the key names nobody or none is needed; raise AuthenticationFailed."""
        if not self._digests:
            return None
        given = _digest(_presented(request))
        # every digest is compared, so that the time taken tells nothing
        found = [caller for known, caller in self._digests if hmac.compare_digest(given, known)]
        if not found:
            raise AuthenticationFailed(
                "No valid key. Send 'Authorization: Bearer <key>' (or 'x-api-key: <key>') with one of the "
                "service's own keys."
            )
        return found[0]


def _presented(request: Request) -> str:
    """Return the key as OpenAI's SDKs send it, or as Anthropic's do."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return request.headers.get("x-api-key", "").strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
