"""`weighbridge train`: one run of the pipeline, its figures and its verdict on the terminal."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Settings as TOML.")
@click.option("--output", type=_FOLDER, help="Where <version>/ is written; default: build/models.")
@click.option("--version", help="The artifact's name; default: the one of this release.")
@click.option(
    "--corpus", type=_FOLDER, help="A folder of labelled .jsonl files; default: the bundled corpus."
)
@click.option("--encoder", type=click.Choice(["static", "transformer"]), help="Default: static.")
@click.option("--encoder-source", metavar="FOLDER", help="A local sentence-transformers model to start from.")
@click.option("--seed", type=int, help="The same seed, corpus and libraries give the same bytes.")
@click.option("--mlflow", metavar="URI", help="Log the run to a store such as sqlite:///runs.db.")
def train(file: Path | None, **overrides: object) -> None:
    """Fit, prove, measure and write a classifier.

    An artifact that exists is never changed: training it again must give the same bytes, anything else
    needs a --version of its own. To serve it, copy the folder under models/ and name it in rollout.toml.
    """
    try:
        from training.config import ConfigError, load_config  # noqa: PLC0415  # --help needs none of it
        from training.dataset import CorpusError  # noqa: PLC0415
        from training.embedding import EncoderSourceError  # noqa: PLC0415
        from training.evaluation import as_text  # noqa: PLC0415
        from training.export import ExportRefused  # noqa: PLC0415
        from training.fit import FitError  # noqa: PLC0415
        from training.pipeline import train as run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}. Training needs more: pip install 'weighbridge[training]'."
        ) from error
    try:
        trained = run(load_config(file, **overrides))
    except (ConfigError, CorpusError, EncoderSourceError, ExportRefused, FitError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(as_text(trained.report))
    for check in trained.verdict.checks:
        mark = "ok  " if check.passed else "FAIL"
        click.echo(f"  {mark} {check.name}: {check.candidate:g} (bound {check.bound:g})")
    click.echo(f"verdict: {'passed' if trained.verdict.passed else 'failed'}")
    if trained.run_id:
        click.echo(f"MLflow run: {trained.run_id}")
    click.echo(f"artifact: {trained.folder}")
