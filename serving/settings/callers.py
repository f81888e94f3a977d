"""From settings and environment to who may call, with which limits."""

from __future__ import annotations

from collections.abc import Mapping

from serving.errors import ConfigurationError
from serving.routing.catalog import Catalog
from serving.routing.request import Caller, Limits
from serving.settings.catalog import header_safe
from serving.settings.limits import LimitsSettings
from serving.settings.schema import Settings


def build_callers(settings: Settings, environ: Mapping[str, str], catalog: Catalog) -> dict[str, Caller]:
    """Return the callers by their key; raise ConfigurationError where two share one.

    A row whose variable is unset has no key, so that nobody can call by it.
    """
    found: dict[str, Caller] = {}
    for row in settings.callers:
        key = header_safe(row.api_key_env, environ.get(row.api_key_env, "").strip())
        if not key:
            continue
        if key in found:
            raise ConfigurationError(
                f"{settings.source}: callers {found[key].name!r} and {row.name!r} have the same key. "
                "Give each a key of its own."
            )
        found[key] = Caller(row.name, limits_of(row, catalog), row.user_tier)
    return found


def limits_of(row: LimitsSettings, catalog: Catalog) -> Limits:
    """Return the limits of a row, with the usable deployments for the names of deployments and models.

    A name that is switched off here allows nothing and needs no denial.
    """
    return Limits(
        max_cost_usd=row.max_cost_usd,
        max_latency_ms=row.max_latency_ms,
        max_first_token_ms=row.max_first_token_ms,
        quality_floor=row.quality_floor,
        minimum_tier=row.minimum_tier,
        maximum_tier=row.maximum_tier,
        capabilities=frozenset(row.capabilities),
        compliance=frozenset(row.compliance),
        allow=None if row.allow is None else frozenset(_usable(row.allow, catalog)),
        deny=frozenset(_usable(row.deny, catalog)),
        # a pin to what is switched off still pins: nothing else may answer
        pin=_usable(row.pin, catalog) or row.pin,
        cost_versus_quality=row.cost_versus_quality,
    )


def _usable(names: tuple[str, ...], catalog: Catalog) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.name for name in names for row in catalog.named(name)))
