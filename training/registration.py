"""A judged candidate into the folder of artifacts and the store of runs: in both whole, or in neither."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from classifier.artifact import ArtifactError, load_manifest
from classifier.verdict_file import VerdictError, manifest_sha256, read_verdict
from training.export import ExportRefused
from training.registry import RegistryError, register
from training.retrain_inputs import Inputs


class RegistrationFailed(RuntimeError):
    """The candidate is made and judged, and could not be registered; the message says why. It is kept."""


def made_before(models: Path, inputs: Inputs) -> bool:
    """Return whether these very inputs have led to an artifact with its verdict already.

    Raise ExportRefused where other inputs have taken its name.
    """
    folder = models / inputs.version
    if not folder.exists():
        return False
    try:
        key = load_manifest(folder).training.get("key")
    except ArtifactError as error:
        raise ExportRefused(f"{folder} is in the way and is no whole artifact: {error}") from error
    if key != inputs.key:
        raise ExportRefused(
            f"{folder} exists and was made of other data or settings. An artifact is never edited: give the "
            "new one a name with --version."
        )
    try:
        read_verdict(models, inputs.version)
    except VerdictError:
        return False
    return True


@contextmanager
def put_in_place(candidate: Path, models: Path) -> Iterator[Callable[[], None]]:
    """Copy a candidate beside its place, and yield what moves it there in one step.

    What can fail for want of room or rights fails before anybody else is told of it. Raise ExportRefused
    where other bytes have its place.
    """
    place = models / candidate.name
    if place.exists() and manifest_sha256(place) != manifest_sha256(candidate):
        raise ExportRefused(
            f"{place} is of the same data and settings, and holds other bytes: made with other libraries, or "
            "on another processor. An artifact is never edited: give the new one a name with --version."
        )
    for left in models.glob(f".{candidate.name}-*"):
        # by a run that was killed right here
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{candidate.name}-", dir=models) as beside:
        copied = Path(shutil.copytree(candidate, Path(beside, candidate.name)))

        def move() -> None:
            if not place.exists():
                copied.rename(place)

        yield move


def registered(uri: str, candidate: Path, parameters: Mapping[str, object]) -> str:
    """Put a candidate with the verdict beside it into the registry; return the run's id."""
    try:
        return register(uri, candidate, parameters).run_id
    except RegistryError as error:
        raise RegistrationFailed(
            f"{error} Nothing has been put under models; what is done is kept, and the same retrain goes on "
            "from there. To do without a registry: --mlflow none."
        ) from error
