"""`weighbridge train` runs the pipeline; `weighbridge sources` shows the public data it can learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path, file_okay=False)
_EXECUTOR = (
    click.option("--executor", type=click.Choice(["local", "ray"]), help="Where to embed and fit; local."),
    click.option("--ray-address", metavar="ADDRESS", help="A Ray cluster; default: one of this machine."),
    click.option("--workers", type=int, help="How many processes of this machine do the work; 1."),
)


def executor_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where its work is done."""
    for option in reversed(_EXECUTOR):
        command = option(command)
    return command


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Settings as TOML.")
@click.option("--output", type=_FOLDER, help="Where <version>/ is written; default: build/models.")
@click.option("--version", help="The artifact's name; default: the one of this release.")
@click.option(
    "--corpus", type=_FOLDER, help="A folder of labelled .jsonl files; default: the bundled corpus."
)
@click.option("--encoder", type=click.Choice(["static", "transformer"]), help="Default: static.")
@click.option("--encoder-source", metavar="FOLDER", help="A local sentence-transformers model to start from.")
@click.option(
    "--compare", is_flag=True, default=None, help="Fit other kinds of heads too, and show them beside."
)
@click.option("--seed", type=int, help="The same seed, corpus and libraries give the same bytes.")
@click.option(
    "--mlflow",
    metavar="URI",
    help="The registry, 'none' for none; default: MLFLOW_TRACKING_URI, else one under weighbridge-data.",
)
@executor_options
@click.option(
    "--source", "sources", multiple=True, metavar="NAME", help="Outcome data to learn from too; repeatable."
)
@click.option(
    "--measure",
    "measured",
    multiple=True,
    metavar="NAME",
    help="Outcome data to measure on only; repeatable.",
)
@click.option("--from", "sources_from", type=_FOLDER, help="The folder that holds the sources' files.")
@click.option(
    "--held-out",
    "held_out_from",
    type=_FOLDER,
    help="A folder of benchmarks; rows that stand there are left out.",
)
def train(
    file: Path | None, sources: tuple[str, ...], measured: tuple[str, ...], **overrides: object
) -> None:
    """Fit, prove, measure and write a classifier.

    An artifact that exists is never changed: training it again must give the same bytes, anything else
    needs a --version of its own. To serve it, copy the folder under models/ and name it in rollout.toml.
    """
    try:
        from classifier.artifact import bundled_models  # noqa: PLC0415
        from training.benchmarks import HeldOutError  # noqa: PLC0415  # --help needs none of it
        from training.config import ConfigError, load_config  # noqa: PLC0415
        from training.dataset import CorpusError  # noqa: PLC0415
        from training.difference import difference  # noqa: PLC0415
        from training.embedding import EncoderSourceError  # noqa: PLC0415
        from training.executor import ExecutorError  # noqa: PLC0415
        from training.export import ExportRefused  # noqa: PLC0415
        from training.fit import FitError  # noqa: PLC0415
        from training.pipeline import train as run  # noqa: PLC0415
        from training.registry_cli import shown  # noqa: PLC0415
        from training.sources import SourceError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}. Training needs more: pip install 'weighbridge[training]'."
        ) from error
    try:
        trained = run(load_config(file, sources=sources or None, measured=measured or None, **overrides))
    except (
        ConfigError,
        CorpusError,
        EncoderSourceError,
        ExecutorError,
        ExportRefused,
        FitError,
        HeldOutError,
        SourceError,
    ) as error:
        raise click.ClickException(str(error)) from error
    click.echo(trained.text)
    for check in trained.verdict.checks:
        mark = "ok  " if check.passed else "FAIL"
        click.echo(f"  {mark} {check.name}: {check.candidate:g} (bound {check.bound:g})")
    click.echo(f"verdict: {'passed' if trained.verdict.passed else 'failed'}")
    click.echo(f"artifact: {trained.folder}")
    if trained.registered:
        click.echo(f"registry: {shown(trained.registered)}")
    for line in difference(trained.folder, bundled_models()):
        click.echo(line)
    if trained.unregistered:
        raise click.ClickException(trained.unregistered)


@click.command()
@click.argument("name", required=False)
@click.option("--from", "folder", type=_FOLDER, help="The folder that holds the source's file.")
@click.option(
    "--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Training settings as TOML."
)
@click.option("--held-out", type=_FOLDER, help="A folder of benchmarks; say how many rows stand there.")
def sources(name: str | None, folder: Path | None, file: Path | None, held_out: Path | None) -> None:
    """List the public outcome data, or read one source: checksum, rows, tasks, labels.

    With --from, NAME is read from a folder of JSON Lines; docs/data.md says what those files hold.
    """
    from training.sources import SOURCES  # noqa: PLC0415  # --help needs none of it

    if name is None:
        click.echo(f"{'name':<20}{'rows':>6}  {'may train':<11}{'licence':<14}home")
        for source in SOURCES.values():
            may = "yes" if source.may_train else "no"
            click.echo(f"{source.name:<20}{source.rows:>6}  {may:<11}{source.licence:<14}{source.home}")
        return
    try:
        _show(name, folder, file, held_out)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def _show(name: str, folder: Path | None, file: Path | None, held_out: Path | None) -> None:
    from training.benchmarks import fingerprints  # noqa: PLC0415  # --help needs none of it
    from training.config import load_config  # noqa: PLC0415
    from training.outcomes import (  # noqa: PLC0415
        checksums,
        is_cleaned,
        labels_from_scores,
        read_source,
        refused_rows,
    )
    from training.sources import source_named  # noqa: PLC0415

    config = load_config(file, sources_from=folder)
    source = source_named(name, training=False)
    click.echo(f"{source.name}: {source.what}")
    click.echo(f"licence {source.licence}; {'may' if source.may_train else 'may not'} train an artifact")
    found = list(read_source(source, config))
    rows = [row for row in found if row.scores or source.everyday]
    for line in checksums(source, config):
        click.echo(line)
    click.echo(f"{len(found)} rows, {len(found) - len(rows)} of them without a score")
    known = fingerprints(held_out) if held_out else {}
    refused = refused_rows(rows, known, cleaned=is_cleaned(source, config))
    if held_out or refused:
        counts = Counter(refused.values())
        left = "".join(f", {counted} of {title}" for title, counted in counts.items())
        click.echo(f"left out as kept for measurement: {counts.total()}{left}")
    rows = [row for place, row in enumerate(rows) if place not in refused]
    tasks = Counter(row.task for row in rows)
    click.echo(
        f"{len(tasks)} tasks: " + ", ".join(f"{task} {count}" for task, count in tasks.most_common(20))
    )
    if source.everyday or name in config.outcome_tiers:
        labels = labels_from_scores(rows, config)
        for place, tier in enumerate(config.tiers[:-1]):
            share = labels.targets[labels.answered(place), place]
            mean = f"{share.mean():.0%}" if len(share) else "unknown"
            click.echo(f"{tier} is enough for {mean} of {len(share)} rows")
