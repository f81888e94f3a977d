"""`weighbridge replay` prints what another policy or artifact changes, and says what it cannot tell."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from classifier.artifact import bundled_models, champion_folder
from tests.running import in_process, weighbridge
from tests.serving.api.bodies import route_body

CHAMPION = champion_folder(bundled_models()).name
PROMPTS = [
    "What are your opening hours?",
    "Thanks!",
    "Prove that there are infinitely many primes.",
    "Write a haiku about rain.",
    "Is this clause enforceable against a subcontractor who never signed it?",
]


def filled(folder, **tables):
    with in_process(folder, **tables) as client:
        for number in range(40):
            client.post("/route", json=route_body(prompt=f"{PROMPTS[number % 5]} ({number})"))
        client.post("/route", json=route_body(compliance=["fedramp"]))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def with_prompts(tmp_path_factory):
    return filled(tmp_path_factory.mktemp("prompts"), log={"prompts": "text"})


def replayed(folder, *arguments, status=0):
    done = weighbridge("replay", *arguments, "--config", "weighbridge.toml", cwd=folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def dear(tmp_path):
    path = tmp_path / "dear.toml"
    path.write_text("[policy]\nusd_per_lost_quality = 1.0\n")
    return str(path)


def test_with_nothing_changed_everything_comes_out_as_logged(folder):
    assert "Every decision came out exactly as it was logged." in replayed(folder)


def test_another_policy_tells_cost_quality_shares_and_the_flips(folder, dear):
    text = replayed(folder, "--policy", dear, "--show", "3")
    for name in (
        "expected cost",
        "  per 1,000 requests",
        "expected quality",
        "economy",
        "premium",
        "refused",
    ):
        assert re.search(rf"^{name} +\S+", text, re.MULTILINE), text
    flips = re.findall(r"^  (dec_\w+)  (demo-\w+) +→ (demo-\w+)   \$[\d.]+ quality", text, re.MULTILINE)
    assert len(flips) == 3
    assert all(before != after for _, before, after in flips)
    assert re.search(r"… and \d+ more: --show \d+, or --json", text)


def test_json_holds_every_flip_and_the_totals(folder, dear):
    found = json.loads(replayed(folder, "--policy", dear, "--json"))
    summary = found["summary"]
    assert (summary["replayed"], summary["left_out"]) == (41, {})
    assert len(found["flips"]) == summary["flips"] > 0
    assert summary["after"]["usd_per_1k"] > summary["before"]["usd_per_1k"]
    assert summary["after"]["quality"] > summary["before"]["quality"]
    assert sum(summary["after"]["share"].values()) == pytest.approx(1.0)
    assert (summary["before"]["refused"], summary["after"]["refused"]) == (1, 1)
    costs = [(flip["before"]["cost_usd"], flip["after"]["cost_usd"]) for flip in found["flips"]]
    moved = sum(after - before for before, after in costs)
    assert summary["after"]["cost_usd"] - summary["before"]["cost_usd"] == pytest.approx(moved)


def test_the_same_policy_by_name_changes_nothing(folder, tmp_path):
    same = tmp_path / "same.toml"
    same.write_text("[policy]\nquality_floor = 0.7\n")
    assert "0 decisions (0.0%) went elsewhere" in replayed(folder, "--policy", str(same))


def test_another_artifact_reads_logged_prompts(with_prompts):
    summary = json.loads(replayed(with_prompts, "--artifact", CHAMPION, "--json"))["summary"]
    assert (summary["replayed"], summary["flips"], summary["left_out"]) == (41, 0, {})
    assert summary["before"]["quality"] == summary["after"]["quality"]


def test_an_artifact_may_be_a_folder_of_its_own(with_prompts, tmp_path):
    copy = shutil.copytree(champion_folder(bundled_models()), tmp_path / "candidate")
    assert "0 decisions (0.0%) went elsewhere" in replayed(with_prompts, "--artifact", str(copy))


def test_where_no_prompt_was_logged_another_artifact_says_so_with_the_count(folder):
    text = replayed(folder, "--artifact", CHAMPION, status=1)
    assert "41 decisions left out: logged without the prompt" in text
    assert 'log.prompts is not "text"' in text


@pytest.mark.parametrize("named", ["2020.1.1", "/no/such/folder", ""])
def test_an_unknown_artifact_is_told_with_those_that_exist(folder, named):
    done = weighbridge("replay", f"--artifact={named}", "--config", "weighbridge.toml", cwd=folder)
    assert done.returncode == 1
    assert CHAMPION in done.stderr
    assert "Traceback" not in done.stderr


def test_a_policy_file_with_a_mistake_is_told_like_any_settings(folder, tmp_path):
    (tmp_path / "bad.toml").write_text("[policy]\nqualty_floor = 0.7\n")
    done = weighbridge(
        "replay", "--policy", str(tmp_path / "bad.toml"), "--config", "weighbridge.toml", cwd=folder
    )
    assert done.returncode == 1
    assert "quality_floor" in done.stderr


def test_an_empty_period_is_told(folder):
    assert "no decision in this period" in replayed(folder, "--since", "2100-01-01", status=1)
    assert "no decision in this period" in replayed(folder, "--until", "2001-01-01", status=1)


def test_a_policy_and_an_artifact_may_change_together(with_prompts, dear):
    both = ("--policy", dear, "--artifact", CHAMPION, "--json")
    summary = json.loads(replayed(with_prompts, *both))["summary"]
    alone = json.loads(replayed(with_prompts, "--policy", dear, "--json"))["summary"]
    assert summary == alone
    assert summary["flips"] > 0


@pytest.fixture
def half_old(folder, tmp_path):
    """Return a copy of the log whose first five decisions are as an earlier version left them."""
    shutil.copy(folder / "decisions.db", tmp_path)
    settings = (folder / "weighbridge.toml").read_text().replace(str(folder), str(tmp_path))
    (tmp_path / "weighbridge.toml").write_text(settings)
    with closing(sqlite3.connect(tmp_path / "decisions.db")) as connection, connection:
        connection.execute("UPDATE decisions SET inputs = NULL WHERE rowid <= 5")
    return tmp_path


def test_decisions_of_an_earlier_version_are_left_out_and_counted(half_old):
    text = replayed(half_old)
    assert "5 decisions left out: logged without its inputs, by an earlier version" in text
    assert "36 decisions from" in text
    done = weighbridge("calibrate", "--quality", "0.9", "--config", "weighbridge.toml", cwd=half_old)
    assert "36 of 36 logged decisions; 5 were logged without their inputs and are left out" in done.stdout
