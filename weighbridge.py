"""The front door: one command, `weighbridge`, whose sub-commands live in `serving` and `training`."""

from __future__ import annotations

from importlib import import_module

import click

# Sub-commands by name: module and attribute. Loaded only when called, so that `--help` is instant
# and serving never needs the training libraries.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("serving.cli.serve", "serve", "Start the service."),
    "route": ("serving.cli.route", "route", "Weigh one prompt and print the decision as a sum of dollars."),
    "score": ("serving.cli.score", "score", "Weigh every row of a JSON Lines file."),
    "init": ("serving.cli.settings", "init", "Write a commented weighbridge.toml."),
    "check": ("serving.cli.settings", "check", "Validate the settings and say how to fix them."),
    "verify": ("serving.cli.verify", "verify", "Probe what deployments can really do."),
    "catalog": ("serving.cli.catalog", "catalog", "Compare prices and windows with a newer table."),
    "explain": ("serving.cli.explain", "explain", "Tell why a logged decision was made."),
    "replay": ("serving.cli.replay", "replay_log", "Decide a logged period again, and see what changes."),
    "calibrate": ("serving.cli.calibrate", "calibrate", "Find the policy setting that meets a target."),
    "feedback": ("serving.cli.feedback", "feedback", "Import feedback from a file."),
    "export-log": ("serving.cli.export", "export_log", "Write the decision log as JSON Lines or Parquet."),
    "promote": ("serving.cli.promote", "promote", "Make an artifact champion, canary or shadow."),
    "rollback": ("serving.cli.promote", "rollback", "Undo the last promotion."),
    "compare": ("serving.cli.compare", "compare", "Set shadow and canary beside the champion."),
    "registry": ("training.registry_cli", "registry", "Keep MLflow's registry of artifacts."),
    "sources": ("training.cli", "sources", "List public outcome data to train on, or read one source."),
    "train": ("training.cli", "train", "Fit, export and evaluate a classifier."),
    "retrain": ("training.retrain_cli", "retrain", "Learn from feedback: a judged candidate, or a reason."),
    "simulate": ("training.simulation.cli", "simulate", "See what retraining is worth on recorded outcomes."),
}

# What training does after a command of serving, with what that returned: neither knows of the other.
_THEN: dict[str, tuple[str, str]] = {
    "promote": ("training.registry_cli", "follow_rollout"),
    "rollback": ("training.registry_cli", "follow_rollout"),
}


class LazyGroup(click.Group):
    """A click group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None where there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, _, help_line) in _COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="weighbridge", prog_name="weighbridge")
def main() -> None:
    """Weigh each prompt and send it down the cheapest road that can carry it.

    Start with `weighbridge serve`, then `weighbridge route "your prompt"`.
    """


@main.result_callback()
@click.pass_context
def _then(context: click.Context, returned: object) -> None:
    if context.invoked_subcommand in _THEN:
        module, attribute = _THEN[context.invoked_subcommand]
        getattr(import_module(module), attribute)(returned)


if __name__ == "__main__":
    main()
