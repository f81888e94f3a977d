"""What the README shows is what happens: its marked blocks run, its links and commands lead somewhere."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from dataclasses import dataclass

import pytest

from tests.running import ROOT, served, weighbridge

README = (ROOT / "README.md").read_text(encoding="utf-8")
# A block under `<!-- run: console -->` or `<!-- run: python -->` is run.
MARKED = re.compile(r"<!-- run: (console|python) -->\n+```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)
# What differs from run to run: ids and times.
CHANGING = re.compile(r"\b(?:dec|fb)_[0-9a-f]+\b|\b\d+(?:\.\d+)? ms\b|http://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Command:
    """One `$ …` line of a console block with the output shown under it."""

    line: str
    shown: str


def blocks(kind: str) -> list[str]:
    return [text for found, text in MARKED.findall(README) if found == kind]


def commands() -> list[Command]:
    """Return every command of every marked console block; a line ending in a backslash goes on."""
    found = []
    for block in blocks("console"):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = piece.replace("\\\n", " ").partition("\n")
            found.append(Command(line.strip(), shown))
    return found


def steady(text: str) -> list[str]:
    """Return the lines without what differs from run to run."""
    return [CHANGING.sub("…", line).rstrip() for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with served(tmp_path_factory.mktemp("readme")) as running:
        yield running


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.line)
def test_a_command_prints_what_the_readme_shows(tmp_path, command):
    name, *arguments = shlex.split(command.line)
    assert name == "weighbridge"
    done = weighbridge(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert steady(done.stdout) == steady(command.shown), f"it prints:\n{done.stdout}"


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.strip().splitlines()[0])
def test_a_python_example_runs_and_prints_something(server, code):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code.replace("http://127.0.0.1:8080", server.base_url), "README.md", "exec"), {})
    assert printed.getvalue().strip()


def test_the_readme_has_examples_of_both_kinds():
    assert commands()
    assert blocks("python")


def test_every_make_target_that_the_readme_names_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)) <= targets


def test_every_command_that_the_readme_names_exists(tmp_path):
    listed = weighbridge("--help", cwd=tmp_path).stdout
    for name in set(re.findall(r"[`$] ?weighbridge ([a-z][a-z-]+)", README)):
        assert f"\n  {name} " in listed, name


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_link_to_a_file_leads_to_one(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []
