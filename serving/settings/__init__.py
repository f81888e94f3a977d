"""What a team decides once: one TOML file over visible defaults, checked whole before anything starts."""

from serving.settings.callers import build_callers
from serving.settings.catalog import build_catalog, build_policy, keys, server_keys, switched_off
from serving.settings.load import load_settings
from serving.settings.rules import build_rules
from serving.settings.schema import Settings

__all__ = [
    "Settings",
    "build_callers",
    "build_catalog",
    "build_policy",
    "build_rules",
    "keys",
    "load_settings",
    "server_keys",
    "switched_off",
]
