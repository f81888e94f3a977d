"""Traffic for the commands that try settings on it: out of the log, or from a file of prompts."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from serving.api.asked import NOTHING_ASKED
from serving.api.schemas import RouteBody, checked
from serving.api.weighing import from_route
from serving.app import build_weigher
from serving.cli.lines import lines_of
from serving.errors import ConfigurationError, WeighbridgeError
from serving.routing.router import Inputs
from serving.settings import Settings
from serving.state.interface import Entry
from serving.weigher import Weighing

_FIELDS = ("prompt", "messages", "tools", "response_format", "max_output_tokens", "metadata", "user")
_SEED = 0


def logged(entries: Iterable[Entry], most: int) -> tuple[list[Inputs], str]:
    """Return the inputs of at most so many decisions, drawn evenly, in their order, and that in words."""
    drawn: list[tuple[int, Inputs]] = []
    draw, seen, without = random.Random(_SEED), 0, 0  # noqa: S311 - a sample, not a secret
    for place, entry in enumerate(entries):
        if entry.logged is None:
            without += 1
            continue
        seen += 1
        if len(drawn) < most:
            drawn.append((place, entry.logged.inputs))
        elif (spot := draw.randrange(seen)) < most:
            drawn[spot] = (place, entry.logged.inputs)
    if not drawn:
        raise ConfigurationError(
            "The log holds no decision of this period that can be made again. "
            "Let the service decide for a while, or give --sample FILE."
        )
    told = f"{len(drawn):,} of {seen:,} logged decisions"
    left_out = f"; {without:,} were logged without their inputs and are left out" if without else ""
    return [inputs for _, inputs in sorted(drawn, key=lambda row: row[0])], told + left_out


def sampled(file: Path, settings: Settings, most: int) -> tuple[list[Inputs], str]:
    """Return what the first rows of a file are weighed by, and that in words; bad rows are left out."""
    weigher = build_weigher(settings, os.environ)
    given: list[Inputs] = []
    bad = 0
    for number, row in lines_of(file):
        if len(given) >= most:
            break
        try:
            given.append(weigher.weigh(_weighing(row)).inputs)
        except WeighbridgeError as error:
            bad += 1
            click.echo(f"line {number}: {error.message}", err=True)
    if not given:
        raise ConfigurationError(
            f"{str(file)!r} has no row that can be weighed. Each needs `prompt` or `messages`."
        )
    left_out = f"; {bad:,} rows could not be read" if bad else ""
    return given, f"{len(given):,} prompts of {file}{left_out}"


def _weighing(row: Mapping[str, Any]) -> Weighing:
    found = {name: row[name] for name in _FIELDS if row.get(name) is not None}
    return from_route(checked(found, RouteBody), found, NOTHING_ASKED, log_text=False)
