"""Budgets and where they are counted, from the settings to what counts them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from serving.settings.limits import Label
from serving.settings.section import Milliseconds, Section, Words, environment_name


class BudgetSettings(Section):
    """One `[[budgets]]` row: what may be spent per hour, day or month (UTC), by whom and on what."""

    name: Label
    usd: Annotated[float, Field(gt=0, le=1_000_000)]
    per: Literal["hour", "day", "month"]
    caller: Label | None = None
    deployments: Words | None = None

    @field_validator("deployments")
    @classmethod
    def _names_some(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if names is not None and not names:
            raise ValueError("is empty, so the budget would hold for nothing. Leave it out to hold for all")
        return names


class CountersSettings(Section):
    """`[counters]`: where budgets are counted."""

    redis_url_env: str
    timeout_ms: Milliseconds
    refresh_ms: Milliseconds

    @field_validator("redis_url_env")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        return environment_name(name) if name else name
