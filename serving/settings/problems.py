"""Turns what is wrong with the settings into sentences: which key, which value, and the way out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from serving.settings.budgets import BudgetSettings
from serving.settings.limits import CallerSettings
from serving.settings.rules import RuleSettings, ThenSettings, WhenSettings
from serving.settings.schema import DeploymentSettings, Settings
from serving.settings.vocabulary import did_you_mean

# Values that may be a secret in the wrong place; they are never shown.
_HIDDEN = frozenset({"api_key_env", "api_keys_env", "base_url"})
_LONGEST_SHOWN = 60

_WORDS = {
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "finite_number": "must be a finite number",
    "tuple_type": 'must be a list, e.g. ["tools", "streaming"]',
    "dict_type": "must be a table",
    "model_type": "must be a table",
}

# Tables of rows, each with its name, and what a row may hold.
_ROWS: dict[str, type[BaseModel]] = {
    "deployments": DeploymentSettings,
    "budgets": BudgetSettings,
    "callers": CallerSettings,
    "rules": RuleSettings,
}


def told(error: ValidationError, merged: dict[str, Any], own_rows: int) -> list[str]:
    """Return one sentence per problem; the last `own_rows` of the merged deployments are the team's own."""
    rows = merged.get("deployments")
    built_in = len(rows) - own_rows if isinstance(rows, list) else 0
    return [_sentence(detail, merged, built_in) for detail in error.errors(include_url=False)]


def _sentence(detail: ErrorDetails, merged: dict[str, Any], built_in: int) -> str:
    loc = detail["loc"]
    where = _where(loc, merged, built_in)
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"{where}: unknown key. {_meant(loc)}"
    if kind == "missing":
        return f"{where}: is missing. Add it."
    return f"{where}{_shown(loc, detail['input'])}: {_words(detail)}."


def _words(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail.get("ctx", {}).get("error", detail["msg"])).rstrip(".")
    if len(detail["loc"]) == 1 and detail["loc"][0] in _ROWS:
        return f"must be rows, each under a line [[{detail['loc'][0]}]]"
    return _WORDS.get(detail["type"]) or detail["msg"].replace("Input should be", "must be")


def _where(loc: tuple[int | str, ...], merged: dict[str, Any], built_in: int) -> str:
    """Name the key as the file does, and a deployment by its name."""
    if len(loc) < 2 or not isinstance(loc[0], str) or not isinstance(loc[1], int):
        return ".".join(map(str, loc))
    row = merged[loc[0]][loc[1]]
    name = row.get("name") if isinstance(row, dict) else None
    number = loc[1] + 1 - (built_in if loc[0] == "deployments" else 0)
    place = f"{loc[0]}, row {number}" if name is None else f"{loc[0].removesuffix('s')} {name!r}"
    return ", ".join([place, *([".".join(map(str, loc[2:]))] if loc[2:] else [])])


def _meant(loc: tuple[int | str, ...]) -> str:
    key = str(loc[-1])
    hint = did_you_mean(key, _known_keys(loc))
    if key in ("api_key", "key", "token", "secret"):
        return f"Keys stay out of this file: name their environment variable with api_key_env. {hint}"
    return hint


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    if len(loc) == 1:
        return list(Settings.model_fields)
    if loc[0] == "rules" and loc[2:3] in (("when",), ("then",)):
        return list((WhenSettings if loc[2] == "when" else ThenSettings).model_fields)
    if loc[0] in _ROWS:
        return list(_ROWS[str(loc[0])].model_fields)
    section = Settings.model_fields[str(loc[0])].annotation
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []


def _shown(loc: tuple[int | str, ...], value: Any) -> str:
    if _HIDDEN.intersection(map(str, loc)) or isinstance(value, dict | list):
        return ""
    try:
        text = str(value) if isinstance(value, Decimal | date) else repr(value)
    except ValueError:
        # Python refuses to print integers of more than a few thousand digits
        return ""
    return f" = {text}" if len(text) <= _LONGEST_SHOWN else f" = {text[:_LONGEST_SHOWN]}…"
