"""A verdict holds for the bytes it was passed on, and for nothing else."""

from __future__ import annotations

import json
import math

import pytest

from classifier.verdict_file import SCHEMA, Check, VerdictError, against, read_verdict, verdict_file
from tests.artifacts import CHAMPION, add_artifact, pass_verdict, write_models


@pytest.fixture
def models(tmp_path):
    found = write_models(tmp_path / "models", "next", "other")
    pass_verdict(found, "next")
    return found


def rewrite(models, **changes):
    file = verdict_file(models, "next")
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_passed_verdict_is_read_as_it_was_written(models):
    verdict = read_verdict(models, "next")
    assert (verdict.version, verdict.champion, verdict.passed) == ("next", CHAMPION, True)
    assert against(models, "next") is None


def test_a_failed_one_names_its_checks(models):
    pass_verdict(models, "next", "under-routing", "latency")
    assert "has not passed (under-routing, latency)" in against(models, "next")


def test_an_artifact_that_was_edited_afterwards_has_no_verdict(models):
    manifest = models / "next" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    assert "of another artifact" in against(models, "next")


def test_a_verdict_of_another_artifact_does_not_count(models):
    verdict_file(models, "other").write_bytes(verdict_file(models, "next").read_bytes())
    assert "of another artifact" in against(models, "other")
    # nor one that only calls itself by the name
    rewrite(models, version="other")
    assert "of another artifact" in against(models, "next")


def test_without_a_verdict_or_an_artifact_nothing_passes(models):
    assert "there is no verdict" in against(models, "other")
    rewrite(models, version="nowhere")
    verdict_file(models, "next").rename(verdict_file(models, "nowhere"))
    assert "no manifest.json" in against(models, "nowhere")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": "weighbridge.verdict/2"}, "no verdict of this Weighbridge"),
        ({"passed": False}, "its checks say otherwise"),
        ({"passed": 1}, "its checks say otherwise"),
        ({"checks": []}, "its checks say otherwise"),
        ({"checks": [{"name": "x"}]}, "damaged"),
        ({"checks": [{"name": "x", "passed": 1, "candidate": 0.0, "bound": 0.0}]}, "damaged"),
        ({"checks": [{"name": "x", "passed": True, "candidate": math.nan, "bound": 0.0}]}, "damaged"),
        ({"checks": None}, "damaged"),
    ],
)
def test_what_is_not_whole_is_refused(models, changes, told):
    rewrite(models, **changes)
    with pytest.raises(VerdictError, match=told):
        read_verdict(models, "next")


@pytest.mark.parametrize("content", ["", "[]", "7", '{"passed": true}', '{"passed": true, "checks": []}'])
def test_what_is_no_verdict_is_refused(models, content):
    verdict_file(models, "next").write_text(content)
    with pytest.raises(VerdictError):
        read_verdict(models, "next")


def test_no_check_is_no_pass(models):
    rewrite(models, checks=[], passed=False)
    assert "has not passed" in against(models, "next")
    assert add_artifact(models, "late").name == "late" and "no verdict" in against(models, "late")


def test_the_file_says_its_schema_and_every_field_of_a_check(models):
    found = json.loads(verdict_file(models, "next").read_text())
    assert found["schema"] == SCHEMA
    assert found["checks"][0].keys() == set(Check.__dataclass_fields__)
