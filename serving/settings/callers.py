"""From settings and environment to who may call, with which limits."""

from __future__ import annotations

from collections.abc import Mapping

from serving.errors import ConfigurationError
from serving.routing.catalog import Catalog
from serving.routing.request import Caller
from serving.settings.catalog import header_safe
from serving.settings.limits import limits_of
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
