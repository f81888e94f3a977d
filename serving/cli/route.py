"""`weighbridge route`: one decision, told as a sum of dollars, without a server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec

from serving.api.asked import NOTHING_ASKED
from serving.api.schemas import RouteBody, checked
from serving.api.weighing import from_route
from serving.app import build_weigher
from serving.errors import WeighbridgeError
from serving.routing.explanation import as_dict, as_text
from serving.settings import load_settings


@click.command()
@click.argument("prompt", metavar="PROMPT")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@click.option("--model", default="auto", show_default=True, help="auto, or a deployment by name.")
@click.option("--max-cost-usd", type=float, help="Reject what is expected to cost more.")
@click.option("--max-latency-ms", type=float, help="Reject what is expected to take longer.")
@click.option("--max-first-token-ms", type=float, help="Reject what is expected to start later.")
@click.option("--quality-floor", type=float, help="Reject what is expected to be worse (0-1).")
@click.option("--capability", "capabilities", multiple=True, help="Must be able to, e.g. tools. Repeatable.")
@click.option("--compliance", multiple=True, help="Must be cleared for, e.g. gdpr. Repeatable.")
@click.option("--minimum-tier", help="Reject deployments of a lower tier.")
@click.option(
    "--cost-versus-quality", type=float, help="The dial: 0 least money, 0.5 the policy, 1 best answer."
)
@click.option("--allow", multiple=True, help="Only these deployments. Repeatable.")
@click.option("--deny", multiple=True, help="Not this deployment. Repeatable.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def route(prompt: str, as_json: bool, config: Path | None, **options: object) -> None:
    """Weigh PROMPT (- reads standard input) and print which deployment would answer, and why.

    \b
    weighbridge route "What is the capital of France?"
    weighbridge route "Prove that there are infinitely many primes." --compliance gdpr
    """
    text = sys.stdin.read() if prompt == "-" else prompt
    found = {name: _plain(value) for name, value in options.items() if value not in (None, ())}
    try:
        settings = load_settings(config, os.environ)
        found = {"prompt": text, **found}
        weighing = from_route(checked(found, RouteBody), found, NOTHING_ASKED, log_text=False)
        decision = build_weigher(settings, os.environ).weigh(weighing).decision
    except WeighbridgeError as error:
        raise click.ClickException(error.message) from error
    click.echo(msgspec.json.encode(as_dict(decision)).decode() if as_json else as_text(decision))
    if decision.chosen is None:
        sys.exit(1)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
