"""The running service's log, by the service's own command: the export file stays the only contract."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from training.config import read_settings
from training.registration import RegistrationFailed

_USUAL_FILE = Path("weighbridge.toml")


class FetchFailed(RuntimeError):
    """The log could not be exported; the message is what the command said."""


def models_of(settings: Path | None) -> Path | None:
    """Return `classifier.models` of the service's settings, which lie where the service looks for them.

    None where there are no settings, or where they leave it to the package.
    """
    named = settings or (Path(found) if (found := os.environ.get("WEIGHBRIDGE_CONFIG")) else None)
    file = named or (_USUAL_FILE if _USUAL_FILE.is_file() else None)
    classifier = read_settings(file).get("classifier") if file else None
    models = classifier.get("models") if isinstance(classifier, dict) else None
    return Path(models) if isinstance(models, str) and models else None


@contextmanager
def fetched_for(work: Path, settings: Path | None, since: str | None) -> Iterator[tuple[Path, ...]]:
    """Yield the exported log, and delete it afterwards: it is kept for a run that can go on, and no other."""
    file = fetched(work, settings, since)
    try:
        yield (file,)
    except RegistrationFailed:
        raise
    except Exception:
        file.unlink(missing_ok=True)
        raise
    file.unlink(missing_ok=True)


def fetched(work: Path, settings: Path | None, since: str | None) -> Path:
    """Export the log that the service's settings name into the work folder, and return the file.

    An export that an interrupted run has left is taken as it is, so that this run goes on with the same data.
    It may hold prompts: nobody else may read it.
    """
    asked = [*(["--since", since] if since else []), *(["--config", str(settings)] if settings else [])]
    name = hashlib.sha256("\0".join([str(Path.cwd()), *asked]).encode()).hexdigest()[:16]
    file = work / f"export-{name}.parquet"
    if file.is_file():
        click.echo(f"going on with {file}, which an interrupted run has left", err=True)
        return file
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "weighbridge", "export-log", "--format", "parquet", "-o", str(file)]
    done = subprocess.run([*command, *asked], stderr=subprocess.PIPE, text=True, umask=0o077)  # noqa: S603  # no shell
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing."]
        raise FetchFailed(f"The log could not be exported: {said[-1].removeprefix('Error: ')}")
    return file
