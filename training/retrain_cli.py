"""`weighbridge retrain`: from a log or an export to a judged candidate, once or on a schedule."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli import executor_options

if TYPE_CHECKING:
    from classifier.verdict_file import Check
    from training.retrain import Retrained

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)

# Why a command ended without a candidate that may be promoted, for whoever calls it from a script.
FAILED_THE_GATE, REFUSED = 3, 4


@click.command()
@click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A file of `weighbridge export-log`, or a folder of Parquet; repeatable. Default: fetch the log.",
)
@click.option(
    "--service",
    type=_FILE,
    help="The service's settings, for its log and its models; default ./weighbridge.toml.",
)
@click.option(
    "--since", metavar="WHEN", help="Only the log from then on: a date, 7d, 12h. Default: all of it."
)
@click.option("--every", metavar="TIME", help="Again and again, such as 24h, until it is stopped.")
@click.option(
    "--models",
    type=_FOLDER,
    help="Where champion and candidate lie; default: the service's classifier.models.",
)
@click.option("--version", help="The candidate's name; default: made of the champion's and the data's.")
@click.option("--work", type=_FOLDER, help="Where finished steps are kept; default: build/retrain.")
@click.option(
    "--config", "file", type=_FILE, help="Settings of training as TOML, with [retrain] and [feedback]."
)
@click.option("--corpus", type=_FOLDER, help="The base corpus; default: the bundled one.")
@click.option("--seed", type=int, help="The same seed, data and libraries give the same bytes.")
@click.option(
    "--key-share", type=click.FloatRange(0, 1, min_open=True), help="What one caller may come to; 0.2."
)
@click.option(
    "--feedback-weight", type=float, help="What a graded row counts for beside one of the corpus; 1."
)
@click.option("--max-feedback-rows", type=int, help="Of more graded rows so many are fitted on; 10000.")
@executor_options
@click.option(
    "--mlflow",
    metavar="URI",
    help="The registry: a store such as http://registry:5000, or none. Default: docs/registry.md.",
)
def retrain(
    exports: tuple[Path, ...],
    service: Path | None,
    since: str | None,
    every: str | None,
    file: Path | None,
    **given: Any,
) -> None:
    """Learn from graded answers: label, merge with the corpus, fit, report, judge, register.

    \b
    weighbridge retrain
    weighbridge retrain --service weighbridge.toml --since 30d --every 24h
    weighbridge retrain --export decisions.jsonl --models models --version 2026.12.1

    The candidate is written beside the champion with a verdict, and answers nobody until it is promoted.
    Exit codes: 0 it may be promoted, 3 it failed the gate, 4 the data teach nothing (too little, one class
    only, beyond the encoder's vocabulary), 1 anything else. docs/retraining.md says what each step does.
    """
    if exports and (service or since):
        raise click.UsageError("--export names the data already: leave --service and --since out.")
    if every is None:
        _round(exports, service, since, file, given)
        return
    if given["version"]:
        raise click.UsageError("--every makes many candidates: leave --version out, each gets a name.")
    from training.schedule import every as repeat  # noqa: PLC0415  # --help needs none of it
    from training.schedule import seconds_of  # noqa: PLC0415

    try:
        seconds = seconds_of(every)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--every") from error
    repeat(seconds, lambda: _round(exports, service, since, file, given), _told)


def _round(
    exports: tuple[Path, ...],
    service: Path | None,
    since: str | None,
    file: Path | None,
    given: dict[str, Any],
) -> None:
    try:
        from classifier.artifact import bundled_models  # noqa: PLC0415  # --help needs none of it
        from training.fetch import fetched_for, models_of  # noqa: PLC0415
        from training.merge import RetrainRefused  # noqa: PLC0415
        from training.retrain import retrain as run  # noqa: PLC0415
        from training.retrain_config import load_retrain_config  # noqa: PLC0415
        from training.work import alone_in  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}. Training needs more: pip install 'weighbridge[training]'."
        ) from error
    work = given["work"] or Path("build/retrain")
    try:
        models = given["models"] or models_of(service) or bundled_models()
        wanted = {**given, "models": models, "work": work}
        with alone_in(work), nullcontext(exports) if exports else fetched_for(work, service, since) as data:
            made = run(load_retrain_config(file, exports=data, **wanted))
    except RetrainRefused as error:
        raise _Ended(REFUSED, f"refused: {error}") from error
    except _foreseen() as error:
        raise click.ClickException(str(error)) from error
    _show(made)


def _foreseen() -> tuple[type[Exception], ...]:
    """Return the errors that say what is wrong and the way out; any other is a fault, and shows where."""
    from classifier.artifact import ArtifactError  # noqa: PLC0415  # --help needs none of it
    from training.benchmarks import HeldOutError  # noqa: PLC0415
    from training.config import ConfigError  # noqa: PLC0415
    from training.dataset import CorpusError  # noqa: PLC0415
    from training.decision_log import ExportError  # noqa: PLC0415
    from training.executor import ExecutorError  # noqa: PLC0415
    from training.export import ExportRefused  # noqa: PLC0415
    from training.fetch import FetchFailed  # noqa: PLC0415
    from training.fit import FitError  # noqa: PLC0415
    from training.registration import RegistrationFailed  # noqa: PLC0415
    from training.sources import SourceError  # noqa: PLC0415
    from training.work import WorkTaken  # noqa: PLC0415

    return (
        ArtifactError,
        ConfigError,
        CorpusError,
        ExecutorError,
        ExportError,
        ExportRefused,
        FetchFailed,
        FitError,
        HeldOutError,
        OSError,
        RegistrationFailed,
        SourceError,
        WorkTaken,
    )


def _show(made: Retrained) -> None:
    from training.champion import report_of  # noqa: PLC0415  # --help needs none of it
    from training.documents import REPORT_TEXT  # noqa: PLC0415
    from training.retrain_report import summary  # noqa: PLC0415

    click.echo(summary(report_of(made.folder)) + "\n")
    for check in made.verdict.checks:
        click.echo(f"  {_line(check)}")
    click.echo(f"\nverdict: {'passed' if made.verdict.passed else 'failed'}")
    if made.run_id:
        click.echo(f"MLflow run: {made.run_id}")
    if not made.is_new:
        click.echo("The same data and settings have led to it before: nothing was made anew.")
    click.echo(f"artifact: {made.folder}")
    click.echo(f"report: {made.folder / REPORT_TEXT}")
    if not made.verdict.passed:
        raise _Ended(
            FAILED_THE_GATE, "It failed the gate: the champion stays, and nothing but --override promotes it."
        )
    click.echo(f"next: weighbridge promote {made.folder.name} --to shadow")


def _line(check: Check) -> str:
    from training.non_inferiority import TOO_FEW  # noqa: PLC0415  # --help needs none of it

    beside = "" if check.champion is None else f", champion {check.champion:g}"
    ends = "" if check.low is None else f", difference {check.low:+g} to {check.high:+g}"
    mark = "ok  " if check.passed else "FAIL"
    told = f": {TOO_FEW}" if check.rule.startswith(TOO_FEW) else ""
    return f"{mark} {check.name}: {check.candidate:g} (bound {check.bound:g}{beside}{ends}){told}"


class _Ended(click.ClickException):
    """An end with an exit code of its own."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return self.code


def _told(error: Exception) -> None:
    said = (
        error.format_message()
        if isinstance(error, click.ClickException)
        else f"{type(error).__name__}: {error}"
    )
    click.echo(f"This round came to nothing; the next one comes. {said}", err=True)
