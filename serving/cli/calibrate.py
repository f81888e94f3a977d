"""`weighbridge calibrate`: the setting of the policy that meets a target on given traffic."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import msgspec
from tqdm import tqdm

from serving.cli.logs import moment, opened
from serving.cli.picture import svg
from serving.cli.traffic import logged, sampled
from serving.errors import WeighbridgeError
from serving.routing.policy import Policy
from serving.settings import build_policy, load_settings
from serving.tradeoff import Point, Target, Trade

# How much of a share a cap may hold back and still count as letting it pass.
_LET_PASS = 0.004
# Prices are told in as few digits as do.
_DIGITS = (3, 4, 6)


@click.command()
@click.option("--economy-share", type=click.FloatRange(0, 1), help="Share of the lowest tier, e.g. 0.6.")
@click.option("--budget-usd-per-1k", type=click.FloatRange(0), help="Dollars per 1,000 requests, e.g. 2.0.")
@click.option("--quality", type=click.FloatRange(0, 1), help="Expected quality, e.g. 0.95.")
@click.option("--since", callback=moment, metavar="WHEN", help="The log from then on: a date, 7d, 12h.")
@click.option("--sample", type=click.Path(path_type=Path), help="JSON Lines of prompts, instead of the log.")
@click.option("--decisions", type=click.IntRange(1), default=2_000, show_default=True, help="Most to go by.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("trade-off.svg"),
    show_default=True,
    help="Where to draw the curve.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def calibrate(
    economy_share: float | None,
    budget_usd_per_1k: float | None,
    quality: float | None,
    since: float | None,
    sample: Path | None,
    decisions: int,
    picture: Path,
    config: Path | None,
) -> None:
    """Find the price of lost quality that meets a target, and print the whole trade-off.

    \b
    weighbridge calibrate --economy-share 0.6 --since 7d
    weighbridge calibrate --budget-usd-per-1k 2.0
    weighbridge calibrate --quality 0.95 --sample prompts.jsonl

    The log's decisions are made again at each price, with the catalog, speeds and limits that they had; a
    sample (`prompt` or `messages` in each row) is weighed with the settings of today. Cost and quality are
    those that are expected. Exit status 1: no price meets the target.
    """
    target = Target(economy_share, budget_usd_per_1k, quality)
    if sum(asked is not None for asked in (economy_share, budget_usd_per_1k, quality)) != 1:
        raise click.UsageError("Give one target: --economy-share, --budget-usd-per-1k or --quality.")
    try:
        settings = load_settings(config, os.environ)
        if sample is None:
            with opened(config) as (log, _):
                given, told = logged(log.entries(since), decisions)
        else:
            given, told = sampled(sample, settings, decisions)
    except WeighbridgeError as error:
        raise click.ClickException(error.message) from None
    trade = Trade(
        given,
        build_policy(settings),
        share_window=settings.policy.share_window,
        share_least=settings.policy.share_least_decisions,
    )
    click.echo(told + "\n")
    if not _calibrated(trade, target, picture):
        sys.exit(1)


def _calibrated(trade: Trade, target: Target, picture: Path) -> bool:
    """Print the curve, the answer and the lines to set; return whether the target is met."""
    lowest, policy = trade.tiers[0], trade.policy
    # a share that is asked for is not to be stopped by the cap on it
    cap = 1.0 if target.economy_share is not None else policy.share_cap
    curve = list(tqdm(trade.curve(cap), unit=" prices", disable=not sys.stderr.isatty()))
    found, tried = trade.search(target, curve, lambda usd: trade.at(usd, cap))
    best = _rounded(found, target, trade, cap)
    kept = policy.share_cap
    if target.economy_share is not None:
        best, kept = _kept(best, trade)
    now = next(point for point in curve if point.usd_per_lost_quality == policy.usd_per_lost_quality)
    click.echo("\n".join(_table([*curve, best], now, best, trade.tiers)))
    is_met = target.misses_by(best, lowest) == 0.0
    click.echo("\n" + _answer(target, best, lowest, is_met=is_met) + "\n")
    click.echo("\n".join(_settings(best.usd_per_lost_quality, kept, policy, is_met=is_met)))
    title = f"What the price of lost quality buys ({len(trade.given):,} decisions)"
    drawn = svg([*curve, *tried, best], title=title, now=now, best=best, lowest=lowest)
    try:
        picture.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{str(picture)!r} cannot be written: {error.strerror}.") from None
    click.echo(f"\nThe curve is drawn in {picture}.")
    return is_met


def _rounded(found: Point, target: Target, trade: Trade, cap: float) -> Point:
    """Return the point at a price that a person can read, where it is as good."""
    lowest = trade.tiers[0]
    for digits in _DIGITS:
        point = trade.at(float(f"{found.usd_per_lost_quality:.{digits}g}"), cap)
        if target.misses_by(point, lowest) <= target.misses_by(found, lowest):
            return point
    return found


def _kept(best: Point, trade: Trade) -> tuple[Point, float]:
    """Return what comes of a share under the least cap, in whole per cent, that lets it pass, and that cap.

    The cap counts only decisions that had a choice of tiers, so that it can stop a smaller share of them all.
    """
    lowest, usd = trade.tiers[0], best.usd_per_lost_quality
    blocked, passing = trade.policy.share_cap, 1.0
    point = trade.at(usd, blocked)
    if point.shares[lowest] >= best.shares[lowest] - _LET_PASS:
        return point, blocked
    while passing - blocked > 0.011:
        cap = round((blocked + passing) / 2, 2)
        point = trade.at(usd, cap)
        if point.shares[lowest] >= best.shares[lowest] - _LET_PASS:
            best, passing = point, cap
        else:
            blocked = cap
    return best, passing


def _table(points: Iterable[Point], now: Point, best: Point, tiers: Sequence[str]) -> Iterator[str]:
    """Yield a line per price; prices in a row that come to the same are one line, unless they are marked."""
    head = "".join(f"{name:>11}" for name in tiers)
    yield f"{'lost quality':>12}{'$ per 1,000':>14}{'quality':>10}{head}"
    prices = {point.usd_per_lost_quality: point for point in points}
    before = None
    for usd, point in sorted(prices.items()):
        marks = [word for word, other in (("now", now), ("set", best)) if other.usd_per_lost_quality == usd]
        if point[1:] != before or marks:
            told = "?" if point.usd_per_1k is None else f"{point.usd_per_1k:,.4f}"
            shares = "".join(f"{f'{point.shares[tier]:.1%}':>11}" for tier in tiers)
            mark = f"   ← {', '.join(marks)}" if marks else ""
            yield f"{usd:>12g}{told:>14}{point.quality:>10.4f}{shares}{mark}"
        before = point[1:]


def _answer(target: Target, best: Point, lowest: str, *, is_met: bool) -> str:
    dollars = "?" if best.usd_per_1k is None else f"${best.usd_per_1k:.4f}"
    if target.economy_share is not None:
        asked, got = f"{target.economy_share:.1%} to {lowest}", f"{best.shares[lowest]:.1%}"
        why = (
            f"from one price to the next it leaps over it, or no price sends as much or as little to {lowest}"
        )
    elif target.budget_usd_per_1k is not None:
        asked, got = f"${target.budget_usd_per_1k:g} per 1,000 requests", dollars
        why = "the floor of quality, limits, waiting and policy.share_cap keep it from being cheaper"
    else:
        asked, got = f"a quality of {target.quality:g}", f"{best.quality:.4f}"
        why = "no deployment that may answer is expected to be better"
    beside = f"quality {best.quality:.4f}, {dollars} per 1,000, {best.shares[lowest]:.1%} {lowest}"
    if is_met:
        return f"Asked: {asked}. Found: {beside}."
    return f"Asked: {asked}. No price of lost quality reaches that ({why}). Nearest is {got}: {beside}."


def _settings(price: float, cap: float, policy: Policy, *, is_met: bool) -> Iterator[str]:
    yield f"# {'meets' if is_met else 'comes nearest to'} the target; put it into weighbridge.toml"
    yield "[policy]"
    yield f"usd_per_lost_quality = {msgspec.json.encode(price).decode()}"
    if cap != policy.share_cap:
        yield f"share_cap = {msgspec.json.encode(cap).decode()}"
