"""Limits that hold for all that a caller sends, or that a rule matches."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

from serving.routing.catalog import Catalog
from serving.routing.request import Limits
from serving.settings.section import (
    Capabilities,
    NeededTags,
    Section,
    Share,
    Tier,
    Words,
    environment_name,
    tiers_of,
)

Positive = Annotated[float, Field(gt=0)]
Label = Annotated[str, Field(min_length=1, max_length=200)]


class LimitsSettings(Section):
    """The limits of `serving.routing.request.Limits`, as a file says them; deployments or models by name."""

    max_cost_usd: Positive | None = None
    max_latency_ms: Positive | None = None
    max_first_token_ms: Positive | None = None
    quality_floor: Share | None = None
    cost_versus_quality: Share | None = None
    minimum_tier: Tier | None = None
    maximum_tier: Tier | None = None
    capabilities: Capabilities = ()
    compliance: NeededTags = ()
    allow: Words | None = None
    deny: Words = ()
    pin: Words = ()

    @model_validator(mode="after")
    def _can_be_met(self, info: ValidationInfo) -> LimitsSettings:
        tiers = tiers_of(info)
        low, high = self.minimum_tier, self.maximum_tier
        if low and high and tiers.index(low) > tiers.index(high):
            raise ValueError(
                f"minimum_tier {low!r} is above maximum_tier {high!r}: nothing could answer. Change one"
            )
        for names, key in ((self.allow or (), "allow"), (self.pin, "pin")):
            if both := sorted(set(names) & set(self.deny)):
                raise ValueError(f"{both[0]!r} stands in {key} and in deny. Take it out of one")
        return self


class CallerSettings(LimitsSettings):
    """One `[[callers]]` row: a key, who holds it, and what holds for all they send."""

    name: Label
    api_key_env: str
    user_tier: Label | None = None

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        return environment_name(name)


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
