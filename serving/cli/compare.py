"""`weighbridge compare`: what a shadow would have said, and how a canary did, beside the champion."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import msgspec
from tqdm import tqdm

from serving.cli.logs import moment, opened
from serving.comparison import Answered, Beside, Comparison, compared


@click.command()
@click.option(
    "--since", callback=moment, metavar="WHEN", help="Only from then on: a date, an ISO time, 7d, 12h, 30m."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def compare(since: float | None, as_json: bool, config: Path | None) -> None:
    """Print, from the log, each artifact that answered and each shadow beside whom it watched.

    A canary and the champion answer different users: compare their shares of good answers as such. A shadow
    sees the same prompts: its difference in log loss, on the questions that feedback answers, is paired.
    """
    with opened(config) as (log, _):
        found = compared(tqdm(log.export(since), unit=" decisions", disable=not sys.stderr.isatty()))
    if as_json:
        click.echo(msgspec.json.encode(_plain(found)))
        return
    if not found.answered:
        raise click.ClickException("No decision of this period was weighed by a classifier.")
    click.echo("\n".join(_lines(found)))


def _plain(found: Comparison) -> dict[str, object]:
    return {
        "answered": {
            name: asdict(one)
            | {"tiers": one.tiers, "graded": one.good.count, "good": int(one.good.total)}
            | {"good_half_interval": one.good.half_interval}
            for name, one in found.answered.items()
        },
        "shadows": [
            {
                "artifact": artifact,
                "shadow": shadow,
                **{name: value for name, value in asdict(one).items() if name != "difference"},
                "tiers": one.tiers,
                "graded": one.difference.count,
                "mean_difference": one.difference.value,
                "half_interval": one.difference.half_interval,
            }
            for (artifact, shadow), one in found.beside.items()
        ],
    }


def _lines(found: Comparison) -> Iterator[str]:
    for name, one in found.answered.items():
        yield f"{name} answered {one.decisions:,} decisions"
        yield f"  needs     {_shares(found, one.tiers, one.decisions)}"
        yield from (f"  {line}" for line in _outcomes(one))
    for (artifact, shadow), beside in found.beside.items():
        yield ""
        yield f"{shadow} watched {beside.decisions:,} decisions of {artifact}"
        yield f"  needs     {_shares(found, beside.tiers, beside.decisions)}"
        same, lower, higher = (part / beside.decisions for part in (beside.same, beside.lower, beside.higher))
        yield f"  agrees    {same:.1%}; a lower tier {lower:.1%}, a higher one {higher:.1%}"
        yield f"  feedback  {_feedback(beside)}"


def _shares(found: Comparison, tiers: dict[str, int], decisions: int) -> str:
    return ", ".join(f"{tier} {tiers.get(tier, 0) / decisions:.1%}" for tier in found.tiers)


def _outcomes(one: Answered) -> Iterator[str]:
    if one.dispatched:
        cost = f"${1000 * one.cost_usd / one.priced:.4f} per thousand" if one.priced else "cost unknown"
        yield f"answers   {one.dispatched:,}, {one.failed / one.dispatched:.1%} failed, {cost}"
    good, half = one.good.value, one.good.half_interval
    sure = "" if half is None else f" (± {half:.1%})"
    yield "feedback  none" if good is None else f"feedback  {good:.1%}{sure} of {one.good.count:,} good"


def _feedback(one: Beside) -> str:
    mean, half, graded = one.difference.value, one.difference.half_interval, one.difference.count
    if mean is None:
        return "none that answers a question"
    told = f"log loss {one.loss / graded:.4f}, the shadow's {mean:+.4f} beside it"
    if half is None:
        return f"{told}, of {graded:,} graded answers: too few to tell"
    return f"{told} (± {half:.4f}), of {graded:,} graded answers"
