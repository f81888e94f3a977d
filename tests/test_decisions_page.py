"""What docs/decisions.md shows is what happens, but for figures and ids: its commands run on a real log."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from tests.running import ROOT, in_process, weighbridge
from tests.test_readme import MARKED

PAGE = (ROOT / "docs/decisions.md").read_text(encoding="utf-8")
# Figures move with the artifact and the clock; a line of … stands for any lines.
FIGURE = re.compile(r"\bdec_[0-9a-f]+|\b(?<=policy |apshot )[0-9a-f.]{8,}|[+-]?[\d.,]*\d")
ASKED = "Is this clause enforceable against a subcontractor who never signed it?"


def commands():
    found = []
    for _, block in MARKED.findall(PAGE):
        line, _, shown = block.removeprefix("$ ").partition("\n")
        found.append(pytest.param(line, shown, id=line))
    return found


def shape(text):
    """Return the words of each line, figures and widths left out."""
    return [" ".join(FIGURE.sub("#", line).split()) for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Return a folder with three hundred decisions and a chat, and the id of the chat's decision."""
    folder = tmp_path_factory.mktemp("page")
    rows = [
        json.loads(line)
        for name in ("everyday", "mixed")
        for line in (ROOT / f"training/corpus/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    with in_process(folder) as client:
        for row in [row for row in rows if "prompt" in row][:300]:
            client.post("/route", json={"prompt": row["prompt"]})
        body = {"model": "auto", "messages": [{"role": "user", "content": ASKED}]}
        asked = body | {"weighbridge": {"compliance": ["gdpr"], "max_cost_usd": 0.05}}
        answer = client.post("/v1/chat/completions", json=asked)
        decision_id = answer.headers["x-weighbridge-decision-id"]
        client.post("/feedback", json={"decision_id": decision_id, "score": 1})
    (folder / "careful.toml").write_text("[policy]\nusd_per_lost_quality = 0.05\n")
    return folder, decision_id


@pytest.mark.parametrize(("line", "shown"), commands())
def test_a_command_prints_what_the_page_shows(logged, line, shown):
    folder, decision_id = logged
    name, *arguments = shlex.split(line.replace("DECISION_ID", decision_id))
    assert name == "weighbridge"
    done = weighbridge(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    wanted = "\n".join(".*" if one == "…" else re.escape(one) for one in shape(shown))
    assert re.fullmatch(wanted, "\n".join(shape(done.stdout)), re.DOTALL), f"it prints:\n{done.stdout}"


def test_the_page_shows_each_of_the_three_commands():
    assert {param.values[0].split()[1] for param in commands()} == {"explain", "replay", "calibrate"}


def test_every_link_of_the_page_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", PAGE) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
