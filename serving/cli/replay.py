"""`weighbridge replay`: a logged period decided again, and what that changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from tqdm import tqdm

from classifier.artifact import ArtifactError, bundled_models
from classifier.tier_classifier import TierClassifier
from serving.cli.logs import moment, opened, shown_moment
from serving.errors import ConfigurationError
from serving.replay import Change, Choice, Flip, Replay, Totals, replay
from serving.rollout import Rollout
from serving.settings import Settings, build_policy, load_settings

_WHEN = "a date, an ISO time, 7d, 12h, 30m."


@click.command("replay")
@click.option("--since", callback=moment, metavar="WHEN", help=f"Only from then on: {_WHEN}")
@click.option("--until", callback=moment, metavar="WHEN", help="Only before then.")
@click.option("--policy", type=click.Path(path_type=Path), help="Settings whose [policy] decides instead.")
@click.option("--artifact", metavar="V", help="A version under classifier.models, or a folder.")
@click.option("--show", type=click.IntRange(0), default=20, show_default=True, help="Flips to list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every flip.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def replay_log(
    since: float | None,
    until: float | None,
    policy: Path | None,
    artifact: str | None,
    show: int,
    as_json: bool,
    config: Path | None,
) -> None:
    """Decide a logged period again under another policy or artifact, and print what changes.

    \b
    weighbridge replay --since 7d                            # must come out exactly as logged
    weighbridge replay --since 7d --policy cheaper.toml
    weighbridge replay --since 7d --artifact 2026.12.1       # needs log.prompts = "text"

    Everything else is as it was then: catalog, prices, speeds, health, limits and rules. Without --policy
    and --artifact the exit status is 1 where a decision comes out otherwise.
    """
    with opened(config) as (log, settings):
        change = _change(policy, artifact, settings)
        result = Replay()
        entries = tqdm(log.entries(since, until), unit=" decisions", disable=not sys.stderr.isatty())
        flips = replay(entries, change, result)
        if as_json:
            _print_json(flips, result)
        else:
            _print_text(flips, result, change, show)
    if not result.replayed or (change.is_none and (result.flips or result.otherwise)):
        sys.exit(1)


def _change(policy: Path | None, artifact: str | None, settings: Settings) -> Change:
    changed = settings if policy is None else load_settings(policy, os.environ)
    return Change(
        policy=None if policy is None else build_policy(changed),
        artifact=None if artifact is None else _rollout(artifact, settings),
        share_window=changed.policy.share_window,
        share_least=changed.policy.share_least_decisions,
    )


def _rollout(named: str, settings: Settings) -> Rollout:
    folder = Path(named)
    if not named or not folder.is_dir():
        models = Path(settings.classifier.models or bundled_models())
        folder = models / named
        if not named or not folder.is_dir():
            found = sorted(path.parent.name for path in models.glob("*/manifest.json"))
            raise ConfigurationError(
                f"--artifact: {named!r} is neither a folder nor a version under {str(models)!r}. "
                f"There: {', '.join(found) or 'none'}."
            )
    try:
        return Rollout(TierClassifier.load(folder))
    except ArtifactError as error:
        raise ConfigurationError(f"--artifact: {error}") from error


def _print_json(flips: Iterable[Flip], result: Replay) -> None:
    """Print piece by piece: a long period may have more flips than memory."""
    encode = msgspec.json.encode
    click.echo('{"flips":[', nl=False)
    for place, flip in enumerate(flips):
        row = flip._asdict() | {"before": flip.before._asdict(), "after": flip.after._asdict()}
        click.echo(("," if place else "") + encode(row).decode(), nl=False)
    click.echo(f'],"summary":{encode(_summary(result)).decode()}}}')


def _summary(result: Replay) -> dict[str, Any]:
    return {
        "first": result.first,
        "last": result.last,
        "replayed": result.replayed,
        "left_out": dict(result.left_out),
        "flips": result.flips,
        "otherwise": result.otherwise,
        "before": _totals(result.before, result.tiers),
        "after": _totals(result.after, result.tiers),
    }


def _totals(totals: Totals, tiers: Iterable[str]) -> dict[str, Any]:
    return {
        "served": totals.served,
        "refused": totals.refused,
        "unpriced": totals.unpriced,
        "cost_usd": totals.cost_usd,
        "usd_per_1k": totals.usd_per_1k,
        "quality": totals.mean_quality,
        "share": {tier: totals.share(tier) for tier in tiers},
    }


def _print_text(flips: Iterable[Flip], result: Replay, change: Change, show: int) -> None:
    shown: list[Flip] = []
    for flip in flips:
        if len(shown) < show:
            shown.append(flip)
    for line in _lines(result, change, shown):
        click.echo(line)


def _lines(result: Replay, change: Change, shown: list[Flip]) -> Iterator[str]:
    for reason, count in result.left_out.most_common():
        yield f"{_counted(count)} left out: {reason}"
    if not result.replayed or result.first is None or result.last is None:
        yield "Nothing was decided again: there is no decision in this period that can be."
        return
    period = f"{shown_moment(result.first)} to {shown_moment(result.last)}"
    yield f"{_counted(result.replayed)} from {period}, decided again"
    yield ""
    yield from _table(result)
    yield ""
    if change.is_none and not result.flips and not result.otherwise:
        yield "Every decision came out exactly as it was logged."
        return
    if result.otherwise:
        yield f"{_counted(result.otherwise)} went to the same deployment with other numbers or another reason"
    yield f"{_counted(result.flips)} ({result.flips / result.replayed:.1%}) went elsewhere"
    width = max((len(str(one.before.deployment)) for one in shown), default=0)
    yield from (f"  {flip.decision_id}  {_moved(flip, width)}" for flip in shown)
    if result.flips > len(shown):
        yield f"  … and {result.flips - len(shown):,} more: --show {result.flips}, or --json"


def _table(result: Replay) -> Iterator[str]:
    before, after = result.before, result.after
    yield f"{'':<22}{'as logged':>14}{'decided again':>16}{'change':>12}"
    yield _row("expected cost", before.cost_usd, after.cost_usd, "${:,.4f}", None)
    yield _row("  per 1,000 requests", before.usd_per_1k, after.usd_per_1k, "${:,.4f}", None)
    yield _row("expected quality", before.mean_quality, after.mean_quality, "{:.4f}", "{:.4f}")
    for tier in result.tiers:
        yield _row(tier, 100.0 * before.share(tier), 100.0 * after.share(tier), "{:.1f} %", "{:.1f} pp")
    if before.refused or after.refused:
        yield _row("refused", before.refused, after.refused, "{:,}", "{:,}")
    if before.unpriced or after.unpriced:
        yield _row("without a price", before.unpriced, after.unpriced, "{:,}", "{:,}")


def _row(name: str, before: float | None, after: float | None, shape: str, change: str | None) -> str:
    """Return a line of the table; `change` is the shape of the difference, None for a change in per cent."""
    told = ["?" if value is None else shape.format(value) for value in (before, after)]
    moved = ""
    if before is not None and after is not None and change is not None:
        moved = ("-" if after < before else "+") + change.format(abs(after - before))
    elif before and after is not None:
        moved = f"{after / before - 1.0:+.1%}"
    return f"{name:<22}{told[0]:>14}{told[1]:>16}{moved:>12}".rstrip()


def _moved(flip: Flip, width: int) -> str:
    before, after = flip.before, flip.after
    return (
        f"{before.deployment or 'refused':<{width}} → {after.deployment or 'refused'}   "
        f"{_told(before)} → {_told(after)}"
    )


def _told(choice: Choice) -> str:
    if choice.deployment is None:
        return "nothing"
    cost = "price unknown" if choice.cost_usd is None else f"${choice.cost_usd:.5f}"
    return cost if choice.quality is None else f"{cost} quality {choice.quality:.2f}"


def _counted(count: int) -> str:
    """Return a number of decisions in words.

    >>> _counted(1), _counted(1234)
    ('1 decision', '1,234 decisions')
    """
    return "1 decision" if count == 1 else f"{count:,} decisions"
