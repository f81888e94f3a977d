"""`weighbridge catalog`: the catalog's prices and windows beside a newer table, and what to take over."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from serving.errors import ConfigurationError
from serving.settings import Settings, load_settings, pins
from serving.settings.price_changes import Change, Comparison, compare, pins_for
from serving.settings.price_table import PriceTable
from serving.settings.vocabulary import did_you_mean


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]..."),
        click.option(
            "--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml."
        ),
        click.option(
            "--largest-change", type=click.FloatRange(min=1), default=3.0, show_default=True,
            help="Changes by more than so many times are out of bounds; so are windows that grow.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def catalog() -> None:
    """Compare prices and windows with the installed price table, and pin what has changed.

    The table is the package genai-prices, read offline: pip install --upgrade 'weighbridge[prices]' brings a
    newer one.
    """


@catalog.command()
@_options
def diff(deployments: tuple[str, ...], config: Path | None, largest_change: float) -> None:
    """Show what the table would change; changes nothing. Exit status 1 where something would."""
    try:
        _, table, found = _compared(config, deployments)
    except ConfigurationError as error:
        raise click.ClickException(error.message) from None
    for line in _told(found, table.version, largest_change):
        click.echo(line)
    if found.changes:
        sys.exit(1)


@catalog.command()
@_options
@click.option(
    "--accept", multiple=True, metavar="DEPLOYMENT",
    help="Take over what is out of bounds for this one as well; may be repeated.",
)  # fmt: skip
def sync(
    deployments: tuple[str, ...], config: Path | None, largest_change: float, accept: tuple[str, ...]
) -> None:
    """Pin what the table says, within bounds, in the file that catalog.prices names.

    A pin holds for the row it was made from: once the row says something else, the row counts. Delete the
    file to undo all. Exit status 1 where something was out of bounds and left as it is.
    """
    try:
        settings, table, found = _compared(config, deployments)
        _known(settings, accept)
        taken = [row for row in found.changes if row.is_within(largest_change) or row.deployment in accept]
        before = pins.read(settings.catalog.prices)
        made = pins.Pins(
            source=table.version,
            pinned_at=datetime.now(UTC).isoformat(timespec="seconds"),
            deployments=before.deployments | pins_for(settings.deployments, taken),
        )
        if taken:
            pins.write(settings.catalog.prices, made)
    except ConfigurationError as error:
        raise click.ClickException(error.message) from None
    except OSError as error:
        raise click.ClickException(f"catalog.prices cannot be written: {error.strerror}.") from None
    for line in _told(found, table.version, largest_change):
        click.echo(line)
    left = len(found.changes) - len(taken)
    if taken:
        click.echo(f"\nPinned {len(taken)} figures in {settings.catalog.prices}.")
        click.echo("A service that runs has to be started again.")
    if left:
        click.echo(f"{left} are out of bounds and stay as they are: look at them, then --accept DEPLOYMENT.")
        sys.exit(1)


def _compared(config: Path | None, names: Sequence[str]) -> tuple[Settings, PriceTable, Comparison]:
    settings = load_settings(config, os.environ)
    _known(settings, names)
    table = PriceTable.installed()
    rows = [row for row in settings.deployments if not names or row.name in names]
    return settings, table, compare(rows, table, datetime.now(UTC).date())


def _known(settings: Settings, names: Sequence[str]) -> None:
    known = [row.name for row in settings.deployments]
    for name in names:
        if name not in known:
            raise ConfigurationError(f"No deployment is called {name!r}. {did_you_mean(name, known)}")


def _told(found: Comparison, version: str, largest: float) -> Iterator[str]:
    yield f"{version}: {found.compared} deployments compared, {len(found.changes)} figures differ"
    width = max((len(row.deployment) for row in found.changes), default=0)
    for row in found.changes:
        yield f"  {row.deployment:<{width}}  {row.figure:<28} {_change(row)}{_bounds(row, largest)}"
    if found.unknown:
        yield f"not in the table: {', '.join(found.unknown)}"


def _change(row: Change) -> str:
    was = "unknown" if row.was is None else _number(row.was)
    share = "" if not row.was else f"  ({float(row.now / row.was - 1):+.0%})"
    return f"{was} -> {_number(row.now)}{share}"


def _number(value: Decimal) -> str:
    return f"{value:,f}".rstrip("0").rstrip(".") if value % 1 else f"{int(value):,}"


def _bounds(row: Change, largest: float) -> str:
    return "" if row.is_within(largest) else "  OUT OF BOUNDS"
