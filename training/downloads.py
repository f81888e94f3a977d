"""Files of public homes, fetched by Hugging Face `datasets` and proved by checksum.

A checksum that is published is pinned in the code. Where none is, the first fetch is trusted and its checksum
written down beside the cache; from then on another file is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from classifier.artifact import sha256
from training.sources import Source, SourceError

LOCK = "sources.lock.json"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a home: where it is, and its SHA-256 where that is published, else None."""

    url: str
    sha256: str | None = None

    @property
    def name(self) -> str:
        """Return what the file is called in its home."""
        return self.url.rpartition("/")[2]


def fetch(source: Source, files: Sequence[RemoteFile], cache: Path) -> list[Path]:
    """Return each file on this disk, fetched where it is not yet there, and as it is known to be.

    Raises SourceError without the client, without the network, and for a file that is another one.
    """
    datasets = client(source)
    keep = datasets.DownloadConfig(cache_dir=str(cache / "datasets"), disable_tqdm=True)
    try:
        found = [
            Path(path)
            for path in datasets.DownloadManager(download_config=keep).download([f.url for f in files])
        ]
    # The client raises its own, the hub's, fsspec's and the operating system's errors: all mean the same.
    except Exception as error:
        raise SourceError(
            f"{source.name} could not be fetched from {source.home}: {_first_line(error)}. Check the "
            f"connection and the proxy (HTTPS_PROXY), or fetch {' and '.join(one.url for one in files)} "
            "elsewhere, and name the folder that holds it with --from."
        ) from error
    lock = cache / LOCK
    known = _locked(lock)
    for file, path in zip(files, found, strict=True):
        known[file.url] = prove(file, path, known.get(file.url))
    _write_lock(lock, known)
    return found


def prove(file: RemoteFile, path: Path, seen: str | None = None) -> str:
    """Return the SHA-256 of a file; raise SourceError where another is pinned, or was seen before."""
    digest = sha256(path)
    expected = file.sha256 or seen
    if expected and digest != expected:
        why = "which is pinned" if file.sha256 else f"which it had when it was first fetched ({LOCK})"
        raise SourceError(
            f"{file.name} is not the file that is known: its SHA-256 is {digest}, not {expected}, {why}. "
            f"It was changed or damaged: {file.url}. Nothing of it was read."
        )
    return digest


def fetched(files: Sequence[RemoteFile], cache: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its address, as it was when it was fetched."""
    known = _locked(cache / LOCK)
    return {file.url: known[file.url] for file in files if file.url in known}


def client(source: Source) -> Any:
    """Return the library `datasets`; raise SourceError where it is not installed."""
    try:
        return import_module("datasets")
    except ModuleNotFoundError as error:
        raise SourceError(
            f"{source.name}: reading it needs more: pip install 'weighbridge[sources]'. "
            f"Or name a folder that holds {source.file or 'it'} with --from."
        ) from error


def _locked(lock: Path) -> dict[str, str]:
    if not lock.is_file():
        return {}
    try:
        found = json.loads(lock.read_text(encoding="utf-8"))
        return {str(url): str(digest) for url, digest in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(
            f"{lock} cannot be read: {error}. It says what was fetched before; repair it, or remove it to "
            "trust the next fetch anew."
        ) from error


def _write_lock(lock: Path, known: Mapping[str, str]) -> None:
    lock.parent.mkdir(parents=True, exist_ok=True)
    draft = lock.with_suffix(".tmp")
    draft.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(lock)


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0].rstrip('.')}" if said else type(error).__name__
