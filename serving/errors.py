"""The one family of errors a caller can see; every room raises these, `serving.api` renders them.

Each carries the HTTP status and the fields of OpenAI's error object, so that an SDK raises the
exception its user expects. Messages say what, which value, and the way out; never a key, never a prompt.
"""

from __future__ import annotations

from typing import Any, ClassVar


class WeighbridgeError(Exception):
    """Base of everything that may reach a caller.

    `param` names the field of the request that is at fault, as OpenAI's SDKs show it.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None, detail: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.detail = detail
        self.headers: dict[str, str] = {}

    def to_openai(self, type_: str | None = None, code: str | None = None) -> dict[str, Any]:
        """Return the body in the shape of OpenAI's error object."""
        error: dict[str, Any] = {
            "message": self.message,
            "type": type_ or self.type,
            "param": self.param,
            "code": code or self.code,
        }
        if self.detail is not None:
            error["detail"] = self.detail
        return {"error": error}


class InvalidRequest(WeighbridgeError):
    """The caller's body cannot be used; `param` says which field."""

    status, type, code = 400, "invalid_request_error", "invalid_request"


class BodyTooLarge(WeighbridgeError):
    """The body is longer than `server.max_body_bytes`."""

    status, type, code = 413, "invalid_request_error", "body_too_large"


class BodyTooSlow(WeighbridgeError):
    """The body did not come within `server.body_timeout_s`."""

    status, type, code = 408, "invalid_request_error", "body_too_slow"


class UnsupportedEncoding(WeighbridgeError):
    """The body is packed, and nothing is unpacked here."""

    status, type, code = 415, "invalid_request_error", "unsupported_encoding"


class AuthenticationFailed(WeighbridgeError):
    """No key, or one that is not in the settings."""

    status, type, code = 401, "authentication_error", "invalid_api_key"


class NotFound(WeighbridgeError):
    """A name or id that does not exist here."""

    status, type, code = 404, "invalid_request_error", "not_found"


class Conflict(WeighbridgeError):
    """An id that is taken by something else."""

    status, type, code = 409, "invalid_request_error", "conflict"


class ModelNotFound(NotFound):
    """The `model` of a request is neither `auto` nor in the catalog."""

    code = "model_not_found"


class NoEligibleDeployment(WeighbridgeError):
    """Every deployment was rejected for what the request asks; `detail` names each reason."""

    status, type, code = 422, "invalid_request_error", "no_eligible_deployment"


class NoHealthyDeployment(WeighbridgeError):
    """Deployments that could serve the request exist, but none is up; worth a retry."""

    status, type, code = 503, "server_error", "no_healthy_deployment"


class BudgetSpent(WeighbridgeError):
    """What a budget has left may not pay for the answer; `retry-after` says when it renews.

    Its type is the one that OpenAI uses where an account is empty.
    """

    status, type, code = 429, "insufficient_quota", "budget_spent"


class BudgetUnknown(WeighbridgeError):
    """Nobody can tell what a budget has left, so nothing may be spent; worth a retry."""

    status, type, code = 503, "server_error", "budget_unknown"


class LogFull(WeighbridgeError):
    """The decision log takes nothing right now, and what was sent is nowhere else; worth a retry."""

    status, type, code = 503, "server_error", "log_full"


class UpstreamGarbled(WeighbridgeError):
    """A provider's answer came and is paid for, and cannot be said in the caller's API."""

    status, type, code = 502, "upstream_error", "upstream"


class ConfigurationError(WeighbridgeError):
    """The settings cannot be used; raised at start and by `weighbridge check`, never per request."""

    type, code = "configuration_error", "configuration"
