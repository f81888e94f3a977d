"""What each arm hands to the retraining, read as the retraining reads it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from serving.state.sqlite import SQLiteLog
from tests.contracts.decision_log import ENCODER, answered
from tests.serving.state.records import feedback
from training.feedback import FeedbackConfig, graded
from training.simulation.labels import write_export

TIERS = ("economy", "standard", "premium")


@pytest.fixture
def came(tmp_path):
    """Return an export: two graded answers of the standard tier, a good and a bad one, and a silent one."""
    log = SQLiteLog(tmp_path / "kept.db")
    for number in (1, 2, 3):
        log.write(answered(number, "middle", "standard", propensity=0.5))
    for number, thumb in ((1, "up"), (2, "down")):
        log.write([feedback(1, of=number, source="human", score=None, thumb=thumb)])
    file = tmp_path / "came.jsonl"
    file.write_text("".join(json.dumps(row, default=_text) + "\n" for row in log.export()))
    log.close()
    return file


def _text(value):
    import base64

    return base64.b64encode(value).decode()


def learned(came, arm, enough=None):
    """Return the answers to both questions of each labelled row, and the report on them."""
    file = write_export(came, came.with_name(f"{arm}.jsonl"), arm, enough or {}, TIERS)
    found = graded([file], TIERS, FeedbackConfig(key_share=1.0), ENCODER)
    return [[None if np.isnan(one) else float(one) for one in row] for row in found.labels.targets], found


def test_the_loop_learns_from_what_came_and_from_nothing_else(came):
    rows, _ = learned(came, "loop")
    assert rows == [[None, 1], [0, 0]]
    assert came.read_bytes() == came.with_name("loop.jsonl").read_bytes()


def test_full_labels_answer_every_question_about_every_answer(came):
    enough = {"dec_1": (True, True), "dec_2": (False, True), "dec_3": (False, False)}
    rows, found = learned(came, "full", enough)
    assert rows == [[1, 1], [None, 1], [0, None], [None, 1], [0, None], [0, 0]]
    assert len(set(found.groups)) == 3
    assert len(set(found.labels.weights)) == 1


def test_the_naive_reading_says_no_for_every_tier_that_did_not_answer(came):
    rows, found = learned(came, "naive")
    good, bad = [[None, 1], [0, None], [0, 0]], [[0, 0], [0, None], [0, 0]]
    assert rows == good + bad
    assert len(set(found.groups)) == 2


def test_no_two_rows_of_an_export_have_one_id(came):
    for arm in ("full", "naive"):
        write_export(came, came.with_name("out.jsonl"), arm, {"dec_1": (True, True)}, TIERS)
        ids = [json.loads(line)["decision_id"] for line in came.with_name("out.jsonl").open()]
        assert len(ids) == len(set(ids))
