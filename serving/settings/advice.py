"""What is allowed and still looks wrong: said by `weighbridge check`, never a reason not to start."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from urllib.parse import urlsplit

from serving.routing.catalog import Catalog, Deployment
from serving.settings.rule_advice import rule_advice
from serving.settings.schema import Settings

# Without these a deployment is not considered for `auto`.
_NEEDED = ("usd_per_million_input", "usd_per_million_output", "context_window_tokens")
_NOTICE = timedelta(days=90)


def advice(settings: Settings, catalog: Catalog, *, has_server_keys: bool, day: date) -> list[str]:
    """Return one sentence per thing that a team probably did not mean; `day` is today."""
    rows = [row for row in catalog if row.by_name_only is None]
    return [
        *_open_doors(settings, has_server_keys),
        *_missing_tiers(settings, rows),
        *_unreachable_floor(settings, rows),
        *_only_by_name(rows),
        *_budgets(settings, rows),
        *_ending(rows, settings.own_rows, day),
        *_dominated(rows),
        *_keys_in_clear(rows),
        *rule_advice(settings.rules, catalog, tuple(settings.quality_prior)),
    ]


def _open_doors(settings: Settings, has_server_keys: bool) -> Iterator[str]:
    host = settings.server.host
    if not has_server_keys and not _is_loopback(host):
        yield (
            f"server.host {host!r} can be reached from other machines and everyone may call: "
            f"put keys into {settings.server.api_keys_env or 'a variable named by server.api_keys_env'}."
        )


def _missing_tiers(settings: Settings, rows: Sequence[Deployment]) -> Iterator[str]:
    present = {row.tier for row in rows}
    for tier in settings.quality_prior:
        if tier not in present:
            yield f"No usable deployment has the tier {tier!r}: add one, or set the key of one that is off."


def _unreachable_floor(settings: Settings, rows: Sequence[Deployment]) -> Iterator[str]:
    floor = settings.policy.quality_floor
    for tier in settings.quality_prior:
        best = max(rows, key=lambda row: row.quality.get(tier, 0.0), default=None)
        if best is not None and best.quality.get(tier, 0.0) < floor:
            yield (
                f"Prompts that surely require {tier!r} will be refused: policy.quality_floor is {floor:g}, "
                f"the best deployment for them ({best.name}) has {best.quality.get(tier, 0.0):g}."
            )


def _budgets(settings: Settings, rows: Sequence[Deployment]) -> Iterator[str]:
    for budget in settings.budgets:
        for row in rows:
            if budget.deployments is not None and not {row.name, row.model} & set(budget.deployments):
                continue
            output_tokens = row.max_output_tokens or row.context_window_tokens
            longest_usd = row.cost_usd(0, output_tokens) if output_tokens else None
            if longest_usd is None:
                yield (
                    f"Budget {budget.name!r} holds for {row.name!r}, of which nobody can tell what it costs "
                    "at most: it will not be used. Add its prices and window."
                )
            elif longest_usd > budget.usd:
                yield (
                    f"Budget {budget.name!r} is ${budget.usd:g}, the longest answer of {row.name!r} costs "
                    f"${longest_usd:g}: only requests with a smaller max_tokens get it."
                )


def _only_by_name(rows: Sequence[Deployment]) -> Iterator[str]:
    for row in rows:
        unknown = [key for key in _NEEDED if getattr(row, key) is None]
        if unknown:
            yield f"Deployment {row.name!r} is only reached by name: it states no {', no '.join(unknown)}."


def ended(settings: Settings, day: date) -> list[str]:
    """Return one sentence per deployment of the team's own file whose last day has passed."""
    return [
        f"{settings.source}: deployment {row.name!r}, sunset = {row.sunset} has passed, so it is never used. "
        f"{_way_out(row.superseded_by)}"
        for row in settings.deployments
        if row.name in settings.own_rows and row.sunset is not None and row.sunset <= day
    ]


def _ending(rows: Sequence[Deployment], own: frozenset[str], day: date) -> Iterator[str]:
    for row in rows:
        if row.sunset is None or row.sunset > day + _NOTICE:
            continue
        if row.sunset > day:
            yield f"Deployment {row.name!r} ends on {row.sunset}. {_way_out(row.superseded_by)}"
        elif row.name not in own:
            yield f"The built-in deployment {row.name!r} ended on {row.sunset}. {_way_out(row.superseded_by)}"


def _way_out(superseded_by: str | None) -> str:
    return f"Use {superseded_by!r} instead." if superseded_by else "Remove the row, or correct the day."


def _dominated(rows: Sequence[Deployment]) -> Iterator[str]:
    for row in rows:
        better = next((other for other in rows if _dominates(other, row)), None)
        if better is not None:
            yield (
                f"Deployment {row.name!r} is never the first choice: {better.name!r} costs no more "
                "and is as good, as fast and as able in everything stated."
            )


def _dominates(other: Deployment, row: Deployment) -> bool:
    """Tell whether `other` is as good in everything and better in something; unknown equals only unknown."""
    pairs = list(zip(_merits(other, row.quality), _merits(row, row.quality), strict=True))
    no_worse = all(a == b or (a is not None and b is not None and a >= b) for a, b in pairs)
    able = other.capabilities >= row.capabilities and other.compliance >= row.compliance
    return no_worse and able and any(a != b for a, b in pairs)


def _merits(row: Deployment, tiers: Iterable[str]) -> list[float | None]:
    """Return what speaks for a deployment, more being better throughout."""
    return [
        _negative(row.prices.input),
        _negative(row.prices.output),
        _negative(row.first_token_ms),
        row.output_tokens_per_second,
        row.context_window_tokens,
        math.inf if row.max_output_tokens is None else row.max_output_tokens,
        *(row.quality.get(tier, 0.0) for tier in tiers),
    ]


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _keys_in_clear(rows: Sequence[Deployment]) -> Iterator[str]:
    for row in rows:
        parts = urlsplit(row.base_url)
        if row.api_key_env and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
            yield f"Deployment {row.name!r} sends its key unencrypted: use https in base_url."


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
