"""`weighbridge verify`: real probes to real deployments, and the capability matrix that serving enforces."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from serving.app import build_adapters
from serving.errors import ConfigurationError
from serving.routing.catalog import Catalog, Deployment
from serving.settings import Settings, build_catalog, load_settings
from serving.settings.matrix import Verified, write
from serving.verify.run import verify as verify_one
from serving.verify.tasks import Task
from serving.verify.tasks import read as read_tasks

_WORDS = {True: "yes", False: "NO", None: "unknown"}


@click.command()
@click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]...")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
@click.option(
    "--tasks", type=click.Path(path_type=Path), help='JSON Lines of {"prompt": …, "expect": pattern}.'
)
@click.option(
    "--long-context-tokens",
    type=click.IntRange(100, 1_000_000),
    default=8_000,
    show_default=True,
    help="Length of the long prompt; it is paid for.",
)
def verify(
    deployments: tuple[str, ...], config: Path | None, tasks: Path | None, long_context_tokens: int
) -> None:
    """Probe what deployments can really do, and let serving go by it; default: all that are usable.

    Sends about ten real requests to each. Exit status 1 where one could not be reached at all.
    """
    try:
        settings = load_settings(config, os.environ)
        catalog = build_catalog(settings, os.environ)
        rows = _asked_for(catalog, deployments)
        own = read_tasks(tasks) if tasks else []
        found = asyncio.run(_verify_all(rows, settings, own, long_context_tokens))
        write(settings.catalog.verified, found)
    except ConfigurationError as error:
        raise click.ClickException(error.message) from None
    for row in rows:
        for line in _told(row, found[row.name]):
            click.echo(line)
    click.echo(f"\nWritten to {settings.catalog.verified}; a service that runs has to be started again.")
    if any(all(one.works is None for one in row.findings.values()) for row in found.values()):
        sys.exit(1)


def _asked_for(catalog: Catalog, names: Sequence[str]) -> list[Deployment]:
    if unknown := [name for name in names if name not in catalog.deployments]:
        raise ConfigurationError(
            f"No usable deployment is called {', '.join(map(repr, unknown))}. Usable: "
            f"{', '.join(catalog.deployments)}."
        )
    rows = [catalog.deployments[name] for name in names] if names else list(catalog)
    return [row for row in rows if "embeddings" not in row.capabilities]


async def _verify_all(
    rows: Sequence[Deployment], settings: Settings, tasks: Sequence[Task], long_context_tokens: int
) -> dict[str, Verified]:
    adapters = build_adapters(Catalog({row.name: row for row in rows}), settings, os.environ)
    try:
        return {
            row.name: await verify_one(
                row, adapters[row.adapter], tasks, long_context_tokens=long_context_tokens
            )
            for row in rows
        }
    finally:
        for adapter in adapters.values():
            await adapter.close()


def _told(row: Deployment, found: Verified) -> Iterator[str]:
    yield f"\n{row.name} ({row.model})"
    for name, finding in found.findings.items():
        declared = " declared" if name in row.capabilities else ""
        yield f"  {name:<16}{_WORDS[finding.works]:<8}{declared:<10}{finding.note}".rstrip()
    if found.tasks:
        yield f"  your tasks      {found.tasks_passed} of {found.tasks} passed"
