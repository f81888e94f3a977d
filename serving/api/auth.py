"""Who may call: anyone while no keys are set, else whoever presents one of them."""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request

from serving.errors import AuthenticationFailed


class Keys:
    """The keys that callers may use; only their digests are kept."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._digests = [_digest(key) for key in sorted(keys)]

    @property
    def required(self) -> bool:
        """Tell whether callers must present a key."""
        return bool(self._digests)

    def check(self, request: Request) -> None:
        """Raise AuthenticationFailed unless the request carries a known key, or none are set."""
        if not self._digests:
            return
        given = _digest(_presented(request))
        # every digest is compared, so that the time taken tells nothing
        if sum(hmac.compare_digest(given, known) for known in self._digests) == 0:
            raise AuthenticationFailed(
                "No valid key. Send 'Authorization: Bearer <key>' (or 'x-api-key: <key>') with one of the "
                "service's own keys."
            )


def _presented(request: Request) -> str:
    """Return the key as OpenAI's SDKs send it, or as Anthropic's do."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    return request.headers.get("x-api-key", "").strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()
