"""A candidate gets its place whole, once, and what a kill has left of it goes."""

from __future__ import annotations

import pytest

from classifier.artifact import MANIFEST
from training.export import ExportRefused
from training.registration import put_in_place


def made(folder, text):
    candidate = folder / "next"
    candidate.mkdir(parents=True)
    (candidate / MANIFEST).write_text(text)
    return candidate


def test_what_a_kill_has_left_beside_the_place_goes_with_the_next_run(tmp_path):
    models = tmp_path / "models"
    (models / ".next-abc" / "next").mkdir(parents=True)
    (models / "other").mkdir()
    with put_in_place(made(tmp_path / "work", "{}"), models) as place:
        assert not (models / "next").exists()
        place()
    assert {one.name for one in models.iterdir()} == {"next", "other"}


def test_one_that_is_there_already_stays_and_other_bytes_never_get_its_verdict(tmp_path):
    models = tmp_path / "models"
    made(models, "{}")
    with put_in_place(made(tmp_path / "same", "{}"), models) as place:
        place()
    with pytest.raises(ExportRefused, match="--version"), put_in_place(made(tmp_path / "new", "[]"), models):
        pass
    assert (models / "next" / MANIFEST).read_text() == "{}"
    assert [one.name for one in models.iterdir()] == ["next"]
