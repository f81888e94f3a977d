"""The seam of the providers: what an adapter must do, and the one error it may raise."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from serving.dispatch.completion import Call, Stream, Whole
from serving.routing.catalog import Deployment


class ProviderError(Exception):
    """A provider did not answer, or answered with an error.

    `kind` is one of authentication, permission, not_found, invalid_request, context_length,
    content_filter, rate_limit, overloaded, timeout, upstream. `retryable` says that another
    deployment may do better: never for an error that is the caller's own. `unsent` says that the call
    never left, so that it cannot cost anything.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: int | None = None,
        retryable: bool,
        retry_after_s: float | None = None,
        body: dict[str, Any] | None = None,
        unsent: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.body = body
        self.unsent = unsent

    @property
    def is_refusal(self) -> bool:
        """Tell whether the adapter refused by itself what its provider cannot do: nobody was asked."""
        return self.unsent and self.kind == "invalid_request"


def cannot(param: str, message: str) -> ProviderError:
    """Return the error for what this provider cannot do and another deployment may: it is never asked."""
    body = {"param": param}
    return ProviderError(
        "invalid_request", f"{param}: {message}", status=400, retryable=True, body=body, unsent=True
    )


class Adapter(Protocol):
    """Speaks one provider dialect."""

    async def complete(self, deployment: Deployment, call: Call) -> Whole:
        """Return the whole answer, or raise ProviderError."""

    async def stream(self, deployment: Deployment, call: Call) -> Stream:
        """Return an open stream once the provider accepted the call, or raise ProviderError."""

    async def close(self) -> None:
        """Release what is open."""


@runtime_checkable
class Embedder(Protocol):
    """An adapter that makes embeddings as well."""

    async def embed(self, deployment: Deployment, call: Call) -> Whole:
        """Return the vectors as OpenAI writes them, or raise ProviderError."""
