"""From settings and environment to what is usable here: the catalog, the policy, the keys."""

from __future__ import annotations

from collections.abc import Mapping

from serving.errors import ConfigurationError
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.settings import matrix, pins
from serving.settings.schema import DeploymentSettings, Settings
from serving.settings.vocabulary import CAPABILITIES, DIALECTS, ONE_ANSWER, SEVERAL_ANSWERS

_STEPS_ASIDE = "a demo, which answers only by name once a real deployment is usable"


def build_catalog(settings: Settings, environ: Mapping[str, str]) -> Catalog:
    """Return the deployments that are usable here; raise ConfigurationError where there is none.

    Demo deployments step aside for `auto` as soon as a real one is usable.
    """
    off = switched_off(settings, environ)
    usable = [row for row in settings.deployments if row.name not in off]
    if not usable:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in off.items())
        raise ConfigurationError(
            f"{settings.source}: no deployment is usable. {reasons or 'There is none.'} "
            "Add a [[deployments]] row, set a key, or set catalog.include_defaults = true."
        )
    has_real = any(row.adapter != "demo" for row in usable)
    found = matrix.read(settings.catalog.verified).deployments
    prices = pins.read(settings.catalog.prices).deployments
    return Catalog(
        {row.name: _deployment(row, settings, has_real, found.get(row.name), prices) for row in usable}
    )


def switched_off(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return, per deployment that is not usable here, what to do about it."""
    return {
        row.name: f"set {row.api_key_env}"
        for row in settings.deployments
        if row.api_key_env is not None and not environ.get(row.api_key_env, "").strip()
    }


def build_policy(settings: Settings) -> Policy:
    """Return the policy of the settings."""
    prices = settings.policy.model_dump(exclude={"share_window", "share_least_decisions"})
    return Policy(**prices)


def keys(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the providers' keys by the name of their environment variable, those that are set."""
    names = {row.api_key_env for row in settings.deployments if row.api_key_env is not None}
    found = {name: environ.get(name, "").strip() for name in sorted(names)}
    return {name: header_safe(name, key) for name, key in found.items() if key}


def server_keys(settings: Settings, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the keys that callers may use; empty means that everyone may call."""
    name = settings.server.api_keys_env
    given = environ.get(name, "") if name else ""
    return frozenset(header_safe(name, key.strip()) for key in given.split(",") if key.strip())


def _deployment(
    row: DeploymentSettings,
    settings: Settings,
    has_real: bool,
    verified: matrix.Verified | None,
    prices: Mapping[str, pins.Pin],
) -> Deployment:
    given = row.model_dump(exclude={"model", "quality", "base_url", "capabilities", "compliance"})
    here = matrix.address(row.adapter, row.base_url, row.model or row.name)
    found = verified if verified is not None and verified.address == here else None
    given |= pins.pinned(row, prices)
    given["context_window_tokens"] = matrix.window_tokens(given["context_window_tokens"], found)
    return Deployment(
        **given,
        model=row.model or row.name,
        quality=settings.quality_prior[row.tier] | row.quality,
        base_url=row.base_url.rstrip("/"),
        capabilities=matrix.capabilities(_declared(row), found, frozenset(CAPABILITIES)),
        compliance=_tags(row),
        lacks=matrix.lacks(found),
        by_name_only=_STEPS_ASIDE if row.adapter == "demo" and has_real else None,
    )


def _declared(row: DeploymentSettings) -> frozenset[str]:
    """Return what a row states, with what its provider's protocol brings along."""
    dialect = row.dialect or DIALECTS.get(row.adapter, ("",))[0]
    brings = frozenset() if (row.adapter, dialect) in ONE_ANSWER else frozenset({SEVERAL_ANSWERS})
    return frozenset(row.capabilities) | brings


def _tags(row: DeploymentSettings) -> frozenset[str]:
    """A provider that keeps nothing has no need to say so twice."""
    return frozenset(row.compliance) | (frozenset({"zero_retention"}) if row.retention_days == 0 else set())


def header_safe(name: str, key: str) -> str:
    """Return a key that a header can carry; raise ConfigurationError that names its variable, not the key."""
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigurationError(
            f"The environment variable {name} holds characters that no HTTP header can carry. "
            "Set it to the bare key."
        )
    return key
