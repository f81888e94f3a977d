"""Builds the whole service from its settings: `create_app` constructs everything, nothing is global."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Set
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import Route

from classifier.artifact import bundled_models
from serving.api import openapi
from serving.api.auth import Keys
from serving.api.chat import chat
from serving.api.context import Context
from serving.api.decisions import decision
from serving.api.embeddings import embeddings
from serving.api.feedback import feedback
from serving.api.messages import count_tokens, messages
from serving.api.observations import observations
from serving.api.operations import healthz, metrics, model, models, readyz
from serving.api.rendering import add_handlers
from serving.api.responses import responses
from serving.api.route import route
from serving.api.service import Service
from serving.dispatch.adapter import Adapter
from serving.dispatch.demo import Demo
from serving.dispatch.dispatcher import Dispatcher, Patience
from serving.errors import ConfigurationError
from serving.gateway import Gateway
from serving.judge import Judge, JudgeConfig
from serving.metrics import Metrics
from serving.rollout import Rollout
from serving.routing.catalog import Catalog
from serving.sensitive.screen import NO_SCREEN, Screen
from serving.settings import (
    Settings,
    build_callers,
    build_catalog,
    build_policy,
    build_rules,
    keys,
    server_keys,
    switched_off,
)
from serving.settings.vocabulary import JUDGE
from serving.state.counters import Counters, MemoryCounters
from serving.state.interface import DecisionLog
from serving.state.sqlite import SQLiteLog
from serving.state.writer import LogWriter
from serving.tables.budgets import Budget, Budgets
from serving.tables.history import charges_in
from serving.tables.lengths import OutputLengths
from serving.tables.live import LiveTables
from serving.tables.recent import Recent
from serving.tables.share import TrafficShare
from serving.tables.watched import Habits
from serving.weigher import Weigher


def create_app(settings: Settings, environ: Mapping[str, str]) -> FastAPI:
    """Return the service, ready to be served; raise ConfigurationError where the settings do not hold."""
    gateway = build_gateway(settings, environ)
    judge = build_judge(settings, environ, gateway)
    app = Service(
        direct=_DIRECT,
        title="Weighbridge",
        description="Weighs each prompt and sends it down the cheapest road that can carry it.",
        lifespan=_lifespan(gateway, judge),
    )
    app.state.context = Context(
        gateway=gateway,
        keys=Keys(server_keys(settings, environ), build_callers(settings, environ, gateway.catalog)),
        max_body_bytes=settings.server.max_body_bytes,
        body_timeout_s=settings.server.body_timeout_s,
        log_text=settings.log.prompts == "text",
    )
    # plain routes: handlers read raw bytes, which costs a third of FastAPI's own parsing
    app.router.routes.extend(_ROUTES)
    add_handlers(app)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def build_gateway(settings: Settings, environ: Mapping[str, str]) -> Gateway:
    """Construct every part and join them; the log is opened, nothing else is started yet."""
    log = SQLiteLog(settings.log.path)
    try:
        weigher = build_weigher(settings, environ, log)
    except ConfigurationError:
        log.close()
        raise
    writer = LogWriter(
        log,
        queue_size=settings.log.queue_size,
        flush_interval_ms=settings.log.flush_interval_ms,
        batch_size=settings.log.batch_size,
    )
    patience = Patience(
        settings.dispatch.max_attempts,
        settings.dispatch.total_timeout_ms,
        settings.dispatch.retry_wait_ms,
        settings.dispatch.longest_retry_wait_ms,
    )
    return Gateway(
        weigher=weigher,
        dispatcher=Dispatcher(build_adapters(weigher.catalog, settings, environ), patience),
        writer=writer,
        log=log,
        metrics=Metrics(),
        hedge=settings.dispatch.hedge,
        refresh_s=settings.counters.refresh_ms / 1000.0,
        warm_s=settings.tables.warm_days * 86_400.0,
        feedback_weights=settings.feedback.weights,
        rollout_s=settings.classifier.refresh_ms / 1000.0,
    )


def build_judge(settings: Settings, environ: Mapping[str, str], gateway: Gateway) -> Judge | None:
    """Return the judge of the settings, who hears of the gateway's answers; None where there is none."""
    asked = settings.judge
    if not asked.deployment:
        return None
    row = gateway.catalog.deployments.get(asked.deployment)
    if row is None:
        way_out = switched_off(settings, environ).get(asked.deployment, "add it to [[deployments]]")
        raise ConfigurationError(
            f"{settings.source}: judge.deployment {asked.deployment!r} is switched off here: {way_out}."
        )
    if row.prices.input is None or row.prices.output is None:
        raise ConfigurationError(
            f"{settings.source}: judge.deployment {row.name!r} has no price, so that judge.usd_per_day could "
            "not hold. Add usd_per_million_input and usd_per_million_output to it."
        )
    config = JudgeConfig(
        row.name, asked.share, asked.rubric, queue_size=asked.queue_size, most_chars=asked.most_chars
    )
    judge = Judge(config, ask=gateway.chat, store=gateway.feedback, count=gateway.metrics.judged)
    gateway.listener = judge.heard
    return judge


def build_adapters(catalog: Catalog, settings: Settings, environ: Mapping[str, str]) -> dict[str, Adapter]:
    """Construct the adapters that the catalog needs, and import no others: an HTTP client takes its time."""
    needed = {row.adapter for row in catalog}
    adapters: dict[str, Adapter] = {}
    if "demo" in needed:
        adapters["demo"] = Demo(speed=settings.dispatch.demo_speed)
    if needed - {"demo"}:
        adapters |= _over_http(needed, settings, environ)
    return adapters


def _over_http(needed: Set[str], settings: Settings, environ: Mapping[str, str]) -> dict[str, Adapter]:
    from serving.dispatch.anthropic import Anthropic  # noqa: PLC0415
    from serving.dispatch.connection import Connection, Timeouts  # noqa: PLC0415
    from serving.dispatch.gemini import Gemini  # noqa: PLC0415
    from serving.dispatch.native import Native  # noqa: PLC0415
    from serving.dispatch.openai_compatible import OpenAICompatible  # noqa: PLC0415

    connection = Connection(
        Timeouts(
            connect_ms=settings.dispatch.connect_timeout_ms,
            first_byte_ms=settings.dispatch.first_byte_timeout_ms,
            idle_ms=settings.dispatch.idle_timeout_ms,
        )
    )
    known = keys(settings, environ)
    adapters: dict[str, Adapter] = {
        "openai_compatible": OpenAICompatible(known, connection),
        "anthropic": Native(Anthropic(), known, connection),
        "gemini": Native(Gemini(), known, connection),
    }
    return {name: adapter for name, adapter in adapters.items() if name in needed}


def build_weigher(settings: Settings, environ: Mapping[str, str], log: DecisionLog | None = None) -> Weigher:
    """Construct what a decision needs; without a log no budget holds, as nothing is spent."""
    catalog = build_catalog(settings, environ)
    return Weigher(
        catalog=catalog,
        policy=build_policy(settings),
        rollout=Rollout.load(
            Path(settings.classifier.models or bundled_models()),
            keep_vectors=settings.log.prompts == "features",
        ),
        tables=LiveTables(
            catalog,
            Habits(
                latency_decay=settings.tables.latency_decay,
                failure_threshold=settings.tables.failure_threshold,
                error_rate=settings.tables.error_rate,
                cooldown_s=settings.tables.cooldown_s,
                longest_cooldown_s=settings.tables.longest_cooldown_s,
                quality_strength=settings.tables.quality_strength,
                quality_half_life_s=settings.tables.quality_half_life_days * 86_400.0,
            ),
        ),
        traffic=TrafficShare(
            cap=settings.policy.share_cap,
            window=settings.policy.share_window,
            least=settings.policy.share_least_decisions,
        ),
        rules=build_rules(settings.rules, catalog),
        screen=_screen(settings),
        budgets=None if log is None else build_budgets(settings, environ, catalog, log),
        recent=Recent(
            OutputLengths(assumed_tokens=settings.routing.expected_output_tokens),
            conversation_s=settings.routing.conversation_s,
            cache_s=settings.routing.prompt_cache_s,
        ),
        expected_output_tokens=settings.routing.expected_output_tokens,
    )


def build_budgets(
    settings: Settings, environ: Mapping[str, str], catalog: Catalog, log: DecisionLog
) -> Budgets:
    """Return the budgets of the settings over their counters, which are filled once the service starts."""
    rows = [
        Budget(row.name, row.usd, row.per, row.caller, _deployments(row.deployments, catalog))
        for row in settings.budgets
    ]
    if settings.judge.deployment:
        rows.append(Budget(JUDGE, settings.judge.usd_per_day, "day", JUDGE))
    counters = _counters(settings, environ) if rows else MemoryCounters()
    return Budgets(rows, counters, charges=partial(charges_in, log))


def _deployments(names: tuple[str, ...] | None, catalog: Catalog) -> frozenset[str] | None:
    if names is None:
        return None
    return frozenset(row.name for name in names for row in catalog.named(name))


def start_problems(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """Return what would keep the service from starting beside the settings themselves: extras, addresses."""
    problems: list[str] = []
    for build in (lambda: _screen(settings), lambda: _counters(settings, environ)):
        try:
            build()
        except ConfigurationError as error:
            problems.append(error.message)
    return problems


def _counters(settings: Settings, environ: Mapping[str, str]) -> Counters:
    name = settings.counters.redis_url_env
    if not name:
        return MemoryCounters()
    try:
        from serving.state.redis_counters import RedisCounters  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"{settings.source}: counters.redis_url_env asks for what is not installed ({error.name}). "
            "Install it with: pip install 'weighbridge[redis]'"
        ) from error
    try:
        return RedisCounters(environ.get(name, "").strip(), timeout_s=settings.counters.timeout_ms / 1000.0)
    except ValueError:
        # the address may hold a password
        raise ConfigurationError(
            f"The environment variable {name}, which counters.redis_url_env names, holds no address "
            "of a Redis. Set it to one such as redis://127.0.0.1:6379/0."
        ) from None


def _screen(settings: Settings) -> Screen:
    """Return what looks for the sensitive content that the settings ask about."""
    tags_for = {kind: frozenset(tags) for kind, tags in settings.sensitive.model_dump().items() if tags}
    if not tags_for:
        return NO_SCREEN
    try:
        from serving.sensitive.kinds import SHAPES  # noqa: PLC0415 - an extra, and only where it is asked for
    except ImportError as error:
        raise ConfigurationError(
            f"{settings.source}: sensitive.{min(tags_for)} asks for what is not installed ({error.name}). "
            "Install it with: pip install 'weighbridge[sensitive]'"
        ) from error
    return Screen(tags_for, SHAPES)


# What carries the traffic.
_DIRECT = {
    "/route": route,
    "/v1/chat/completions": chat,
    "/v1/messages": messages,
    "/v1/responses": responses,
    "/v1/embeddings": embeddings,
}
_ROUTES = (
    *(Route(path, endpoint, methods=["POST"]) for path, endpoint in _DIRECT.items()),
    Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/v1/models/{model:path}", model, methods=["GET"]),
    Route("/feedback", feedback, methods=["POST"]),
    Route("/observations", observations, methods=["POST"]),
    Route("/decisions/{decision_id}", decision, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
)


def _lifespan(gateway: Gateway, judge: Judge | None) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await gateway.start()
        if judge is not None:
            judge.start()
        try:
            yield
        finally:
            if judge is not None:
                await judge.close()
            await gateway.close()

    return lifespan


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        app.openapi_schema = openapi.extend(document)
    return app.openapi_schema
