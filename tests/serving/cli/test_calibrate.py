"""`weighbridge calibrate` prints the trade-off and lines that do what was asked for."""

from __future__ import annotations

import json
import re
import tomllib
from xml.etree import ElementTree

import pytest

from serving.settings import build_policy
from serving.settings.load import validate_text
from tests.running import ROOT, in_process, weighbridge
from tests.serving.api.bodies import route_body

ROW = re.compile(
    r"^ +(\S+) +([\d.]+) +([\d.]+) +([\d.]+)% +([\d.]+)% +([\d.]+)%(?:   ← (.+))?$", re.MULTILINE
)


@pytest.fixture(scope="module")
def prompts():
    rows = (ROOT / "training/corpus/everyday.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(row)["prompt"] for row in rows if "prompt" in json.loads(row)][:60]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, prompts):
    folder = tmp_path_factory.mktemp("calibrated")
    with in_process(folder, policy={"quality_floor": 0.0, "share_cap": 0.4}) as client:
        for prompt in prompts:
            client.post("/route", json=route_body(prompt=prompt))
    return folder


def calibrated(folder, *arguments, status=0):
    done = weighbridge("calibrate", *arguments, "--config", "weighbridge.toml", cwd=folder)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def lines_of(text):
    """Return the lines that are to be put into the settings."""
    return text.partition("# meets the target")[2].partition("\n")[2].partition("\n\n")[0]


def marked(text, word):
    (row,) = (row for row in ROW.findall(text) if word in row[6].split(", "))
    return dict(zip(("usd", "dollars", "quality", "economy"), map(float, row[:4]), strict=True))


def test_a_share_above_the_cap_is_met_with_a_cap_that_lets_it_pass(folder):
    text = calibrated(folder, "--economy-share", "0.5")
    assert text.startswith("60 of 60 logged decisions\n")
    assert marked(text, "set")["economy"] == pytest.approx(50.0, abs=1.0)
    policy = tomllib.loads(text.partition("# meets the target")[2].partition("\n")[2].partition("\n\n")[0])[
        "policy"
    ]
    assert policy["usd_per_lost_quality"] == marked(text, "set")["usd"]
    assert policy["share_cap"] > 0.4
    # the log again under these very lines: the cap stands in the way of nothing
    (folder / "set.toml").write_text(lines_of(text) + "\nquality_floor = 0.0\n")
    done = weighbridge("replay", "--policy", "set.toml", "--json", "--config", "weighbridge.toml", cwd=folder)
    assert json.loads(done.stdout)["summary"]["after"]["share"]["economy"] == pytest.approx(0.5, abs=0.02)


def test_the_lines_do_what_they_say_when_they_are_set(folder):
    text = calibrated(folder, "--quality", "0.93")
    again = build_policy(validate_text(lines_of(text), "these lines"))
    assert again.usd_per_lost_quality == pytest.approx(marked(text, "set")["usd"], rel=1e-5)
    assert marked(text, "set")["quality"] >= 0.93
    cheaper = [float(row[1]) for row in ROW.findall(text) if float(row[2]) >= 0.93]
    assert marked(text, "set")["dollars"] == min(cheaper)


def test_the_policy_of_now_is_marked(folder):
    assert marked(calibrated(folder, "--budget-usd-per-1k", "1.0"), "now")["usd"] == 0.02


def test_a_budget_below_the_cheapest_is_not_met_and_the_nearest_told(folder):
    text = calibrated(folder, "--budget-usd-per-1k", "0.001", status=1)
    nearest = marked(text, "set")
    assert "No price of lost quality reaches that" in text
    assert f"Nearest is ${nearest['dollars']:.4f}" in text
    assert nearest["dollars"] == min(float(row[1]) for row in ROW.findall(text))
    assert "# comes nearest to the target" in text


def test_a_sample_is_weighed_with_the_settings_of_today(folder, tmp_path, prompts):
    sample = tmp_path / "sample.jsonl"
    sample.write_text("".join(json.dumps({"id": n, "prompt": p}) + "\n" for n, p in enumerate(prompts)))
    text = calibrated(folder, "--quality", "0.93", "--sample", str(sample))
    assert text.startswith(f"60 prompts of {sample}\n")


def test_the_picture_is_the_same_each_time_and_names_its_axes(folder):
    drawn = []
    for name in ("one.svg", "two.svg"):
        assert f"drawn in {name}" in calibrated(folder, "--quality", "0.93", "--picture", name)
        drawn.append((folder / name).read_text(encoding="utf-8"))
    assert drawn[0] == drawn[1]
    words = " ".join(ElementTree.fromstring(drawn[0]).itertext())
    for word in ("$ per 1,000 requests", "expected quality", "now: $0.02", "set: $"):
        assert word in words


@pytest.mark.parametrize(
    "arguments",
    [(), ("--quality", "0.9", "--economy-share", "0.5"), ("--quality", "1.5"), ("--economy-share", "half")],
)
def test_what_is_no_single_target_is_refused_with_the_way_out(folder, arguments):
    done = weighbridge("calibrate", *arguments, "--config", "weighbridge.toml", cwd=folder)
    assert done.returncode == 2
    assert "--" in done.stderr.partition("Error")[2]


def test_a_log_without_decisions_points_to_a_sample(folder):
    done = weighbridge(
        "calibrate", "--quality", "0.9", "--since", "2100-01-01", "--config", "weighbridge.toml", cwd=folder
    )
    assert done.returncode == 1
    assert "--sample FILE" in done.stderr


BAD = {
    b"{]\n": "line 1",
    b"[1]\n": "line 1",
    b"\xff\n": "line 1",
    b"": "no row",
    b'{"text": "x"}\n': "no row",
}


@pytest.mark.parametrize(("content", "told"), BAD.items())
def test_a_sample_that_cannot_be_read_is_told(folder, tmp_path, content, told):
    (tmp_path / "bad.jsonl").write_bytes(content)
    asked = ("--quality", "0.9", "--sample", str(tmp_path / "bad.jsonl"), "--config", "weighbridge.toml")
    done = weighbridge("calibrate", *asked, cwd=folder)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
