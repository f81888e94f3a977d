"""`weighbridge simulate`: is the loop from feedback to a better champion worth it?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

_TRAINING = Path(__file__).with_name("training.toml")
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option(
    "--from", "folder", type=_FOLDER, help="The folder that holds nine_models' file (docs/data.md)."
)
@click.option("--answers", metavar="N,N", default="500,1500,5000", show_default=True, help="When to retrain.")
@click.option(
    "--arms", metavar="NAME,NAME", default="loop,never,full,naive", show_default=True, help="What to compare."
)
@click.option(
    "--new-tasks",
    metavar="NAME,NAME",
    default="mmlu,gsm8k",
    show_default=True,
    help="Which task families are kept out of the base.",
)
@click.option(
    "--log-prompts",
    type=click.Choice(["text", "features"]),
    default="text",
    show_default=True,
    help="What the log keeps of prompts.",
)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Training settings as TOML; default: small ones.",
)
@click.option("--seed", type=int, help="Of the world and of training; default: 7.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Arms at the same time.")
@click.option(
    "-o",
    "--out",
    type=_FOLDER,
    default=Path("build/simulation"),
    show_default=True,
    help="Where it all goes.",
)
def simulate(
    folder: Path | None,
    answers: str,
    arms: str,
    new_tasks: str,
    log_prompts: str,
    file: Path | None,
    seed: int | None,
    jobs: int,
    out: Path,
) -> None:
    """Play the world with recorded outcomes, and see what retraining from feedback is worth.

    Prompts of nine_models are routed by a real service, answered with the scores that the models of the
    chosen tier reached, and rated now and then, sometimes wrongly. After so many answers the log is exported,
    retrained on, judged and promoted by the real commands, while the service runs. Beside this `loop`:
    `never` retraining, `full` labels (the ceiling), and the `naive` reading of ungraded tiers as bad.

    A run that was stopped goes on where it was, arm by arm, when it is started again.
    """
    try:
        from training.config import load_config  # noqa: PLC0415  # --help needs none of it
        from training.outcomes import is_cleaned, read_source, refused_rows  # noqa: PLC0415
        from training.simulation.plan import SOURCE, Plan, SimulationError  # noqa: PLC0415
        from training.simulation.report import as_text  # noqa: PLC0415
        from training.simulation.run import simulate as run  # noqa: PLC0415
        from training.sources import source_named  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"{error}. A simulation needs more: pip install 'weighbridge[training]'."
        ) from error
    try:
        training = load_config(file or _TRAINING, seed=seed, sources_from=folder)
        plan = Plan(
            answers=_numbers(answers),
            arms=_words(arms),
            new_tasks=_words(new_tasks),
            prompts=log_prompts,
            seed=training.seed,
            training=replace(training, sources_from=None),
        )
        source = source_named(SOURCE, training=True)
        rows = list(read_source(source, training))
        refused = refused_rows(rows, {}, cleaned=is_cleaned(source, training))
        rows = [row for place, row in enumerate(rows) if place not in refused]
        report = run(rows, plan, out, jobs)
    except (SimulationError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for line in as_text(report):
        click.echo(line)
    click.echo(f"\nall of it: {out}")


def _words(given: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in given.split(","))


def _numbers(given: str) -> tuple[int, ...]:
    """Return the numbers; raise ClickException where they are none."""
    try:
        return tuple(int(word) for word in given.split(","))
    except ValueError:
        raise click.ClickException(
            f"--answers: {given!r} are no numbers. Write something like 500,1500,5000."
        ) from None
