"""Reads the settings: the defaults, the team's file over them, all problems told at once."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serving.errors import ConfigurationError
from serving.settings.names import name_problems
from serving.settings.problems import told
from serving.settings.schema import Settings

DEFAULTS_FILE = Path(__file__).parent.parent / "defaults.toml"
CATALOG_FILE = DEFAULTS_FILE.with_name("catalog.toml")
USUAL_FILE = Path("weighbridge.toml")
PATH_VARIABLE = "WEIGHBRIDGE_CONFIG"


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings of `path`, $WEIGHBRIDGE_CONFIG or ./weighbridge.toml, over the defaults.

    Raise ConfigurationError with every problem, its key, its value and the way out.
    """
    named = path or (Path(environ[PATH_VARIABLE]) if environ.get(PATH_VARIABLE) else None)
    found = named or (USUAL_FILE if USUAL_FILE.exists() else None)
    own = {} if found is None else _read(found)
    return _validated(own, "the built-in defaults" if found is None else str(found))


def validate_text(text: str, source: str) -> Settings:
    """Return the settings that a file with this text would give."""
    return _validated(_parsed(text, source), source)


def _validated(own: dict[str, Any], source: str) -> Settings:
    defaults = _read(DEFAULTS_FILE) | _read(CATALOG_FILE)
    merged = _merged(defaults, own)
    problems = _repeated_names(own)
    try:
        settings = Settings.model_validate(merged, context={"tiers": _tiers(defaults, merged)})
    except ValidationError as error:
        rows = own.get("deployments")
        problems += told(error, merged, len(rows) if isinstance(rows, list) else 0)
    else:
        problems += name_problems(settings)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in problems)
        # the original is cut off: it shows values that may be keys
        raise ConfigurationError(f"{source}: {count}.\n{lines}") from None
    settings._source = source
    settings._own_rows = frozenset(row["name"] for row in own.get("deployments", ()))
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no file {str(path)!r}. Write one with: weighbridge init"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}, line {line}: not UTF-8. Save the file as UTF-8.") from None
    return _parsed(text, str(path))


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigurationError(f"{source} is not valid TOML: {reason}. See https://toml.io.") from None


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lay the team's tables over the defaults key by key, and its deployments over those of the same name."""
    merged = _overlaid(defaults, {key: value for key, value in own.items() if key != "deployments"})
    rows = own.get("deployments", [])
    if not isinstance(rows, list):
        return merged | {"deployments": rows}
    named = {row.get("name") for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)}
    catalog = merged.get("catalog")
    wanted = not isinstance(catalog, dict) or catalog.get("include_defaults") is not False
    kept = [row for row in defaults["deployments"] if row["name"] not in named] if wanted else []
    return merged | {"deployments": [*kept, *rows]}


def _overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = below.get(key)
        if isinstance(lower, dict) and isinstance(value, dict):
            merged[key] = _overlaid(lower, value)
        else:
            merged[key] = value
    return merged


def _repeated_names(own: dict[str, Any]) -> list[str]:
    rows = own.get("deployments")
    names = [row.get("name") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    counted = Counter(name for name in names if isinstance(name, str))
    return [
        f"deployments: the name {name!r} is used {count} times. Give each row a name of its own."
        for name, count in counted.items()
        if count > 1
    ]


def _tiers(defaults: dict[str, Any], merged: dict[str, Any]) -> tuple[str, ...]:
    prior = merged.get("quality_prior")
    # where the table itself is wrong, one complaint about it is enough
    return tuple(prior if isinstance(prior, dict) else defaults["quality_prior"])
