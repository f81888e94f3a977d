"""`weighbridge explain`: one logged decision, told to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from serving.cli.logs import opened, shown_moment
from serving.routing.telling import told_in_full


@click.command()
@click.argument("decision_id", metavar="DECISION_ID")
@click.option("--json", "as_json", is_flag=True, help="Print it as the log's export has it.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def explain(decision_id: str, as_json: bool, config: Path | None) -> None:
    """Tell why DECISION_ID was decided as it was, and what came of it.

    The id is in the x-weighbridge-decision-id header of every answer, and in /route's. Over HTTP the same
    is GET /decisions/DECISION_ID.
    """
    with opened(config) as (log, settings):
        row = log.find(decision_id)
    if row is None:
        raise click.ClickException(
            f"There is no decision {decision_id!r} in {str(settings.log.path)!r}. "
            "Take the id from the x-weighbridge-decision-id header, and name the service's settings with "
            "--config. A running service writes a decision within log.flush_interval_ms."
        )
    click.echo(msgspec.json.encode(row).decode() if as_json else "\n".join(_lines(row)))


def _lines(row: Mapping[str, Any]) -> Iterator[str]:
    caller = f" from {row['caller']}" if row["caller"] else ""
    yield f"{row['decision_id']}   {shown_moment(row['created_at'])}{caller}"
    yield f"{row['endpoint']}, model {row['requested_model']}"
    yield told_in_full(row["explanation"])
    yield ""
    yield from _outcome(row)
    for given in row["feedback"]:
        words = [f"score {given['score']:g}"] if given["score"] is not None else []
        words += [given["label"]] if given["label"] else []
        yield f"feedback from {given['source']}: {', '.join(words)}"


def _outcome(row: Mapping[str, Any]) -> Iterator[str]:
    outcome = row["outcome"]
    if outcome is None:
        yield "nothing was dispatched" if row["deployment"] else "nobody could serve it"
        return
    who = f" by {outcome['deployment']}" if outcome["deployment"] else ""
    error = f" ({outcome['error']})" if outcome["error"] else ""
    expected_ms, expected_usd = row["expected_latency_ms"], row["expected_cost_usd"]
    told = [f"{outcome['latency_ms']:,.0f} ms{_beside(expected_ms, ',.0f', '', ' ms')}"]
    if outcome["output_tokens"] is not None:
        told.append(f"{outcome['output_tokens']:,} tokens out")
    if outcome["cost_usd"] is not None:
        told.append(f"${outcome['cost_usd']:.6f}{_beside(expected_usd, '.6f', '$', '')}")
    yield f"{outcome['status']}{who}{error}: {', '.join(told)}"
    for attempt in outcome["attempts"][:-1]:
        yield f"before that {attempt['deployment']}: {attempt['error'] or attempt['status']}"


def _beside(expected: float | None, shape: str, before: str, after: str) -> str:
    return "" if expected is None else f" ({before}{expected:{shape}}{after} expected)"
