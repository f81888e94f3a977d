"""What operators and SDKs ask besides: models, health, readiness, metrics."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.api.context import context_of
from serving.weigher import AUTO


async def models(request: Request) -> Response:
    """List `auto` and every deployment, in the shape of OpenAI's `GET /v1/models`."""
    context = context_of(request)
    context.keys.check(request)
    names = [(AUTO, "weighbridge"), *((row.name, row.adapter) for row in context.gateway.catalog)]
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in names]
    return _json({"object": "list", "data": rows})


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
