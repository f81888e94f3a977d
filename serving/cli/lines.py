"""JSON Lines as the commands read them: plain or gzipped, one object a line."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from serving.errors import ConfigurationError


def reader(file: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file, unpacked where its name ends in .gz; `-` is standard input."""
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    if file.endswith(".gz"):
        return cast(AbstractContextManager[IO[bytes]], gzip.open(file, "rb"))
    return Path(file).open("rb")


def lines_of(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the object of each line; raise ConfigurationError where one is no object."""
    number = 0
    try:
        with reader(str(file)) as lines:
            for line in lines:
                number += 1
                if line.strip():
                    yield number, msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{str(file)!r}, line {number}: not a JSON object ({error}).") from None
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{str(file)!r} cannot be read: {error}.") from error
