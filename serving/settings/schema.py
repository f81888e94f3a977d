"""The shape of the settings, checked by pydantic; every default and its meaning stands in `defaults.toml`."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    Strict,
    ValidationInfo,
    field_validator,
)

from serving.routing.token_rates import ASSUMED, RATES, UNKNOWN_FAMILY
from serving.settings.budgets import BudgetSettings, CountersSettings
from serving.settings.limits import CallerSettings
from serving.settings.rules import RuleSettings
from serving.settings.section import (
    Capabilities,
    Dollars,
    Milliseconds,
    NeededTags,
    Section,
    Share,
    Tags,
    Tokens,
    environment_name,
    known_word,
    tiers_of,
)
from serving.settings.vocabulary import ADAPTERS, DIALECTS

# Six decimals of a dollar per million tokens are whole picodollars a token: arithmetic stays exact.
_PRICE_DECIMALS = 6


def _price(value: Any) -> Any:
    """Return the decimal that was written; TOML's reader made a float of it, which reads back the same."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number, without quotes")
    price = Decimal(str(value))
    if not price.is_finite():
        raise ValueError("must be a finite number")
    if -int(price.normalize().as_tuple().exponent) > _PRICE_DECIMALS:
        raise ValueError(f"must have at most {_PRICE_DECIMALS} decimals, so that costs are exact")
    return price


# Dearer than any model sold: what lies above was meant per token, or is a slip.
DollarsPerMillion = Annotated[
    Decimal, Strict(False), BeforeValidator(_price), Field(ge=0, le=100_000, allow_inf_nan=False)
]

# names travel in HTTP headers
_DEPLOYMENT_NAME = re.compile(r"[\x21-\x7e]{1,200}")


class ServerSettings(Section):
    """`[server]`: where the service listens and who may call it."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=0, le=65535)]
    max_body_bytes: Annotated[int, Field(ge=1, le=1_000_000_000)]
    body_timeout_s: Annotated[float, Field(gt=0, le=3600)]
    api_keys_env: str
    shutdown_grace_s: Annotated[int, Field(ge=0, le=3600)]

    @field_validator("api_keys_env")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        return environment_name(name) if name else name


class ClassifierSettings(Section):
    """`[classifier]`: where the artifacts lie."""

    models: str
    refresh_ms: Annotated[int, Field(ge=0, le=86_400_000)]


class LogSettings(Section):
    """`[log]`: the decision log and the queue before it."""

    path: Annotated[Path, Strict(False)]
    prompts: Literal["none", "features", "text"]
    queue_size: Annotated[int, Field(ge=1, le=10_000_000)]
    flush_interval_ms: Milliseconds
    batch_size: Annotated[int, Field(ge=1, le=100_000)]

    @field_validator("path")
    @classmethod
    def _names_a_file(cls, path: Path) -> Path:
        if not path.name or "\0" in str(path):
            raise ValueError("must name a file, e.g. 'weighbridge-data/decisions.db'")
        return path.expanduser()


class FeedbackSettings(Section):
    """`[feedback]`: what an opinion counts for, by who has it."""

    human_weight: Annotated[float, Field(ge=0, le=100)]
    judge_weight: Annotated[float, Field(ge=0, le=100)]
    check_weight: Annotated[float, Field(ge=0, le=100)]

    @property
    def weights(self) -> dict[str, float]:
        """Return the weights by source."""
        return {"human": self.human_weight, "judge": self.judge_weight, "check": self.check_weight}


class JudgeSettings(Section):
    """`[judge]`: who grades answers in the background."""

    deployment: str
    share: Share
    usd_per_day: Annotated[float, Field(gt=0, le=1_000_000)]
    rubric: Annotated[str, Field(min_length=1, max_length=20_000)]
    queue_size: Annotated[int, Field(ge=1, le=100_000)]
    most_chars: Annotated[int, Field(ge=100, le=1_000_000)]


class PolicySettings(Section):
    """`[policy]`: what a team pays for quality and time."""

    quality_floor: Share
    usd_per_second: Dollars
    usd_per_lost_quality: Dollars
    usd_per_switch: Dollars
    share_cap: Share
    share_window: Annotated[int, Field(ge=10, le=100_000)]
    share_least_decisions: Annotated[int, Field(ge=1, le=100_000)]
    control_share: Share
    exploration_share: Annotated[float, Field(ge=0, le=0.5)]

    @field_validator("share_least_decisions")
    @classmethod
    def _fits_the_window(cls, least: int, info: ValidationInfo) -> int:
        window = info.data.get("share_window", least)
        if least > window:
            raise ValueError(f"is more than share_window = {window}; make it at most that")
        return least


class RoutingSettings(Section):
    """`[routing]`: what a decision assumes before it knows."""

    expected_output_tokens: Tokens
    conversation_s: Annotated[float, Field(ge=0, le=31_536_000)]
    prompt_cache_s: Annotated[float, Field(ge=0, le=31_536_000)]


class DispatchSettings(Section):
    """`[dispatch]`: how long a provider may take, and how many are tried."""

    connect_timeout_ms: Milliseconds
    first_byte_timeout_ms: Milliseconds
    idle_timeout_ms: Milliseconds
    total_timeout_ms: Milliseconds
    max_attempts: Annotated[int, Field(ge=1, le=100)]
    retry_wait_ms: Annotated[int, Field(ge=0, le=86_400_000)]
    longest_retry_wait_ms: Milliseconds
    hedge: bool
    demo_speed: Annotated[float, Field(gt=0, le=1_000_000)]


class TablesSettings(Section):
    """`[tables]`: how the live numbers remember and forget."""

    latency_decay: Annotated[float, Field(ge=0, lt=1)]
    failure_threshold: Annotated[int, Field(ge=1, le=1_000_000)]
    error_rate: Annotated[float, Field(gt=0, le=1)]
    cooldown_s: Annotated[float, Field(ge=0, le=86_400)]
    longest_cooldown_s: Annotated[float, Field(ge=0, le=86_400)]
    quality_strength: Annotated[float, Field(gt=0, le=1_000_000)]
    quality_half_life_days: Annotated[float, Field(gt=0, le=36_500)]
    warm_days: Annotated[float, Field(ge=0, le=366)]

    @field_validator("longest_cooldown_s")
    @classmethod
    def _is_no_shorter(cls, longest_s: float, info: ValidationInfo) -> float:
        cooldown_s = info.data.get("cooldown_s", longest_s)
        if longest_s < cooldown_s:
            raise ValueError(f"is less than cooldown_s = {cooldown_s:g}; make it at least that")
        return longest_s


class SensitiveSettings(Section):
    """`[sensitive]`: the tags that a prompt requires for each kind of content that is found in it."""

    secret: NeededTags
    card: NeededTags
    iban: NeededTags
    national_id: NeededTags
    email: NeededTags
    phone: NeededTags
    health: NeededTags


class CatalogSettings(Section):
    """`[catalog]`: whether the built-in deployments take part, and what was verified of all."""

    include_defaults: bool
    verified: Annotated[Path, Strict(False)]
    prices: Annotated[Path, Strict(False)]


class DeploymentSettings(Section):
    """One `[[deployments]]` row; what is left out is unknown, and unknown never counts as good."""

    name: str
    model: Annotated[str, Field(min_length=1)] | None = None
    adapter: str
    dialect: str | None = None
    tier: str
    base_url: str = Field(default="", validate_default=True)
    api_key_env: str | None = None
    quality: dict[str, Share] = Field(default_factory=dict)
    usd_per_million_input: DollarsPerMillion | None = None
    usd_per_million_output: DollarsPerMillion | None = None
    usd_per_million_cached_read: DollarsPerMillion | None = None
    usd_per_million_cached_write: DollarsPerMillion | None = None
    usd_per_million_reasoning: DollarsPerMillion | None = None
    tokenizer: str = UNKNOWN_FAMILY
    context_window_tokens: Tokens | None = None
    max_output_tokens: Tokens | None = None
    capabilities: Capabilities = ()
    compliance: Tags = ()
    retention_days: Annotated[int, Field(ge=0, le=36_500)] | None = None
    first_token_ms: Annotated[float, Field(gt=0, le=86_400_000)] | None = None
    output_tokens_per_second: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    released: date | None = None
    deprecated: date | None = None
    sunset: date | None = None
    superseded_by: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name == "auto":
            raise ValueError("is the word that asks to be routed; choose another name")
        if not _DEPLOYMENT_NAME.fullmatch(name):
            raise ValueError("must be 1 to 200 printable ASCII characters without spaces")
        return name

    @field_validator("adapter")
    @classmethod
    def _is_an_adapter(cls, adapter: str) -> str:
        return known_word(adapter, ADAPTERS)

    @field_validator("tokenizer")
    @classmethod
    def _is_a_family(cls, tokenizer: str) -> str:
        return known_word(tokenizer, (*RATES, *ASSUMED, UNKNOWN_FAMILY))

    @field_validator("dialect")
    @classmethod
    def _is_a_dialect(cls, dialect: str | None, info: ValidationInfo) -> str | None:
        known = DIALECTS.get(info.data.get("adapter", ""))
        return dialect if dialect is None or known is None else known_word(dialect, known)

    @field_validator("tier")
    @classmethod
    def _is_a_tier(cls, tier: str, info: ValidationInfo) -> str:
        return known_word(tier, tiers_of(info))

    @field_validator("quality")
    @classmethod
    def _has_knowntiers_of(cls, quality: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        for tier in quality:
            known_word(tier, tiers_of(info))
        return quality

    @field_validator("api_key_env")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        return None if name is None else environment_name(name)

    @field_validator("released", "deprecated", "sunset", mode="before")
    @classmethod
    def _is_a_day(cls, day: Any) -> Any:
        if day is not None and type(day) is not date:
            raise ValueError("must be a day without quotes, e.g. 2027-04-01")
        return day

    @field_validator("sunset")
    @classmethod
    def _comes_last(cls, sunset: date | None, info: ValidationInfo) -> date | None:
        for name in ("released", "deprecated"):
            earlier = info.data.get(name)
            if sunset is not None and earlier is not None and earlier > sunset:
                raise ValueError(f"lies before {name} = {earlier}; check both")
        return sunset

    @field_validator("base_url")
    @classmethod
    def _can_be_reached(cls, url: str, info: ValidationInfo) -> str:
        # without an adapter that is known nobody can tell whether an address is needed
        return _checked_url(url) if info.data.get("adapter", "demo") != "demo" else url


class Settings(Section):
    """Everything a team can set; frozen, and without secrets: those stay in the environment."""

    server: ServerSettings
    classifier: ClassifierSettings
    log: LogSettings
    feedback: FeedbackSettings
    judge: JudgeSettings
    policy: PolicySettings
    routing: RoutingSettings
    dispatch: DispatchSettings
    tables: TablesSettings
    quality_prior: dict[str, dict[str, Share]]
    sensitive: SensitiveSettings
    catalog: CatalogSettings
    counters: CountersSettings
    budgets: Annotated[tuple[BudgetSettings, ...], Strict(False)] = ()
    callers: Annotated[tuple[CallerSettings, ...], Strict(False)] = ()
    rules: Annotated[tuple[RuleSettings, ...], Strict(False)] = ()
    deployments: Annotated[tuple[DeploymentSettings, ...], Strict(False)]
    _source: str = PrivateAttr("the built-in defaults")
    _own_rows: frozenset[str] = PrivateAttr(frozenset())

    @field_validator("quality_prior")
    @classmethod
    def _is_complete(cls, prior: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for tier, quality in prior.items():
            if strange := set(quality) ^ set(prior):
                raise ValueError(
                    f"row {tier!r} and the tiers differ in {', '.join(sorted(strange))}: "
                    "each tier needs a row, each row a number per tier"
                )
        return prior

    @property
    def source(self) -> str:
        """Return the file the settings came from, in words."""
        return self._source

    @property
    def own_rows(self) -> frozenset[str]:
        """Return the names of the deployments that the team's own file holds."""
        return self._own_rows


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise ValueError("must be an address such as https://api.openai.com/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must hold no key, query or fragment; a key comes from api_key_env")
    return url
