"""`weighbridge registry`: what training failed to register, and aliases in line with `rollout.toml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from classifier.artifact import ArtifactError, bundled_models

if TYPE_CHECKING:
    from training.registry import Registered

_FOLDER = click.Path(path_type=Path, file_okay=False)
_STORE = click.option(
    "--mlflow",
    "named",
    metavar="URI",
    help="Default: that of MLFLOW_TRACKING_URI, else sqlite:///weighbridge-data/mlflow.db.",
)


@click.group()
def registry() -> None:
    """Keep MLflow's registry of artifacts; serving needs none of it."""


@registry.command()
@click.argument("artifact", type=_FOLDER)
@_STORE
def add(artifact: Path, named: str | None) -> None:
    """Register ARTIFACT, a folder that was trained; one that is there already stays as it is."""
    from training.registry import register  # noqa: PLC0415  # --help needs none of it

    with _told():
        click.echo(shown(register(_store(named), artifact)))


@registry.command()
@click.option("--models", type=_FOLDER, help="Where rollout.toml lies; default: as the service says.")
@_STORE
def sync(models: Path | None, named: str | None) -> None:
    """Bring the aliases champion, canary and shadow in line with rollout.toml.

    What rollout.toml names and the registry does not know is registered first.
    """
    from training.fetch import models_of  # noqa: PLC0415  # --help needs none of it
    from training.registry import follow  # noqa: PLC0415

    with _told():
        _say(follow(_store(named), models or models_of(None) or bundled_models()))


def follow_rollout(models: Path) -> None:
    """Let the registry follow a rollout that has just changed, where there is one; never fail for it.

    There is one where MLFLOW_TRACKING_URI names it, or where training has made the embedded one.
    """
    from training.registry import RegistryError, configured_uri, follow  # noqa: PLC0415

    uri = configured_uri()
    if uri is None:
        return
    try:
        _say(follow(uri, models))
    except (ArtifactError, RegistryError) as error:
        click.echo(f"Warning: the registry has not followed. {error}", err=True)


def shown(found: Registered) -> str:
    """Return one line for a person."""
    return (
        f"{found.version} is version {found.number} in the registry"
        f"{'' if found.new else ' already'} (run {found.run_id})."
    )


def _say(found: Mapping[str, Registered]) -> None:
    roles = ", ".join(f"{role} {one.version} (version {one.number})" for role, one in found.items())
    click.echo(f"In the registry: {roles}.")


def _store(named: str | None) -> str:
    from training.registry import RegistryError, store_uri  # noqa: PLC0415

    found = store_uri(named)
    if found is None:
        raise RegistryError("There is no registry 'none'. Name another with --mlflow, or leave it away.")
    return found


@contextmanager
def _told() -> Iterator[None]:
    from training.config import ConfigError  # noqa: PLC0415
    from training.registry import RegistryError  # noqa: PLC0415

    try:
        yield
    except (ArtifactError, ConfigError, RegistryError) as error:
        raise click.ClickException(str(error)) from None
