"""What operators and SDKs ask besides: models, health, readiness, metrics."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import context_of
from serving.errors import ModelNotFound
from serving.weigher import AUTO


async def models(request: Request) -> Response:
    """List `auto` and every deployment, with the fields of OpenAI's list and of Anthropic's."""
    rows = _models(request)
    names = [row["id"] for row in rows]
    return _json(
        {"object": "list", "data": rows, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    )


async def model(request: Request) -> Response:
    """Return one row of the list; 404 for a name that is not in it."""
    wanted = request.path_params["model"]
    row = next((row for row in _models(request) if row["id"] == wanted), None)
    if row is None:
        known = ", ".join(row["id"] for row in _models(request))
        raise ModelNotFound(
            f"The model {wanted[:200]!r} is not in the catalog. Known: {known}.", param="model"
        )
    return _json(row)


def _models(request: Request) -> list[dict[str, Any]]:
    context = context_of(request)
    context.keys.check(request)
    names = [(AUTO, "weighbridge"), *((row.name, row.adapter) for row in context.gateway.catalog)]
    return [
        {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": owner,
            "type": "model",
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
        }
        for name, owner in names
    ]


async def healthz(request: Request) -> Response:
    """Answer while the process lives."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Answer 200 once decisions can be made and kept; say which artifact answers, or why none does."""
    gateway = context_of(request).gateway
    ready = gateway.writer.is_running() and len(gateway.catalog) > 0
    status = {
        "status": "ready" if ready else "not_ready",
        "artifact": gateway.rollout.artifact,
        "classifier": gateway.rollout.problem or "ok",
        "rollout": gateway.rollout.refused or "ok",
        **gateway.rollout.roles,
        "deployments": len(gateway.catalog),
        "log": "writing" if gateway.writer.is_running() else "stopped",
    }
    return _json(status, 200 if ready else 503)


async def metrics(request: Request) -> Response:
    """Return the numbers in Prometheus' text format."""
    gateway = context_of(request).gateway
    writer = gateway.writer
    gateway.metrics.watched(gateway.weigher.tables.snapshot(), gateway.weigher.budgets.all())
    text = gateway.metrics.render(queued=writer.queued, written=writer.written, dropped=writer.dropped)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", status_code=status)
