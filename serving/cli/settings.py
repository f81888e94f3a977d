"""`weighbridge init` and `weighbridge check`: a settings file to start from, and what it comes to."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from serving.errors import ConfigurationError
from serving.routing.catalog import Catalog, Deployment
from serving.settings import (
    Settings,
    build_callers,
    build_catalog,
    build_policy,
    load_settings,
    pins,
    server_keys,
    switched_off,
)
from serving.settings.advice import advice, ended
from serving.settings.budgets import BudgetSettings
from serving.settings.template import template

_KEPT = {"none": "without prompts", "features": "with the features of prompts", "text": "with prompts"}


@click.command()
@click.option(
    "--path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("weighbridge.toml"),
    show_default=True,
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def init(path: Path, force: bool) -> None:
    """Write a commented weighbridge.toml to start from."""
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template())
    except FileExistsError:
        raise click.ClickException(
            f"{str(path)!r} exists. Overwrite it with --force, or choose another --path."
        ) from None
    except OSError as error:
        raise click.ClickException(f"{str(path)!r} cannot be written: {error.strerror}.") from None
    click.echo(f"Wrote {path}. Change what you like, then: weighbridge check --config {path}")


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def check(config: Path | None) -> None:
    """Say what is in force, what is wrong and how to fix it; exit status 1 where something is wrong."""
    try:
        settings = load_settings(config, os.environ)
        catalog = build_catalog(settings, os.environ)
        callers = build_callers(settings, os.environ, catalog)
        keys = len(server_keys(settings, os.environ)) + len(callers)
        # the application takes a while to load, and `init` does not need it
        from serving.app import start_problems  # noqa: PLC0415
    except ConfigurationError as error:
        raise click.ClickException(error.message) from None
    version, problems = _classifier(settings)
    problems += _log(settings)
    problems += start_problems(settings, os.environ)
    day = datetime.now(UTC).date()
    problems += ended(settings, day)
    for line in [*_in_force(settings, version, keys), *_deployments(settings, catalog)]:
        click.echo(line)
    for sentence in advice(settings, catalog, has_server_keys=bool(keys), day=day):
        click.secho(f"warning: {sentence}", fg="yellow")
    for sentence in problems:
        click.secho(f"problem: {sentence}", fg="red")
    if problems:
        sys.exit(1)
    click.secho("The settings are good.", fg="green")


def _in_force(settings: Settings, artifact: str, keys: int) -> list[str]:
    server, policy = settings.server, build_policy(settings)
    callers = (
        f"{keys} {'key' if keys == 1 else 'keys'}"
        if keys
        else f"no keys in {server.api_keys_env or 'use'}: everyone may call"
    )
    kept = _KEPT[settings.log.prompts]
    return [
        f"settings     {settings.source}",
        f"listens on   {server.host}:{server.port}, {callers}",
        f"log          {settings.log.path}, {kept}",
        f"policy       quality floor {policy.quality_floor:g}, a second ${policy.usd_per_second:g}, "
        f"lost quality ${policy.usd_per_lost_quality:g} (version {policy.version})",
        *_learning(settings),
        *(f"budget       {_budget(row)}" for row in settings.budgets),
        *_pinned(settings),
        f"classifier   {artifact}",
    ]


def _learning(settings: Settings) -> list[str]:
    judge, explored = settings.judge, settings.policy.exploration_share
    told = [f"exploration  {explored:.1%} of the traffic, one tier up or down"] if explored else []
    if judge.deployment:
        share, most = f"{judge.share:.1%} of the answers", f"${judge.usd_per_day:g} per day"
        told.append(f"judge        {judge.deployment}, {share}, {most}")
    return told


def _pinned(settings: Settings) -> list[str]:
    found = pins.read(settings.catalog.prices)
    rows = {row.name: row for row in settings.deployments}
    stale = [
        name for name, pin in found.deployments.items() if name in rows and pins.is_stale(rows[name], pin)
    ]
    told = (
        f"prices       {len(found.deployments)} deployments pinned by {found.source}, {found.pinned_at[:10]}"
    )
    overtaken = f"; overtaken by their rows: {', '.join(stale)}" if stale else ""
    return [told + overtaken] if found.deployments else []


def _budget(row: BudgetSettings) -> str:
    who = f"caller {row.caller!r}" if row.caller else "all callers"
    what = ", ".join(row.deployments) if row.deployments else "all deployments"
    return f"{row.name!r}: ${row.usd:g} per {row.per}, {who}, {what}"


def _deployments(settings: Settings, catalog: Catalog) -> list[str]:
    off = switched_off(settings, os.environ)
    width = max(len(row.name) for row in settings.deployments)
    tiers = max(len(row.tier) for row in settings.deployments)
    lines = [f"deployments  {len(catalog)} on, {len(off)} off"]
    for row in settings.deployments:
        usable = catalog.deployments.get(row.name)
        state = f"off  {off[row.name]}" if usable is None else f"on   {_told(usable)}"
        lines.append(f"  {row.name:<{width}}  {row.tier:<{tiers}}  {state}")
    return lines


def _told(row: Deployment) -> str:
    prices = (row.usd_per_million_input, row.usd_per_million_output)
    priced = "/".join("?" if price is None else f"${float(price):g}" for price in prices)
    window = "?" if row.context_window_tokens is None else f"{row.context_window_tokens:,}"
    only = " (only by name)" if row.by_name_only else ""
    return f"{priced} per million tokens in/out, window {window}{only}"


def _classifier(settings: Settings) -> tuple[str, list[str]]:
    """Return what answers, in words, and what is wrong with it."""
    # ONNX Runtime takes a while to load, and `init` does not need it
    from classifier.artifact import ArtifactError, bundled_models, champion_folder  # noqa: PLC0415
    from classifier.tier_classifier import TierClassifier  # noqa: PLC0415

    try:
        folder = champion_folder(Path(settings.classifier.models or bundled_models()))
        champion = TierClassifier.load(folder)
    except ArtifactError as error:
        return "none: the highest tier answers every prompt", [f"The classifier cannot be used. {error}"]
    strange = [tier for tier in champion.tiers if tier not in settings.quality_prior]
    told = f"{champion.version}, {' < '.join(champion.tiers)}"
    if strange:
        return told, [
            f"The classifier predicts {', '.join(strange)}, which [quality_prior] lacks. Add it there."
        ]
    return told, []


def _log(settings: Settings) -> list[str]:
    """Return what is wrong with the log, without creating one."""
    from serving.state.sqlite import SQLiteLog  # noqa: PLC0415

    path = settings.log.path
    if path.exists():
        try:
            SQLiteLog(path).close()
        except ConfigurationError as error:
            return [error.message]
        return []
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return []
    return [f"log.path {str(path)!r} cannot be created in {str(folder)!r}. Choose another folder."]
