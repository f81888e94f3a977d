"""Area recovered on outcome data: what is left out is left out, and the pair's rows are the pair's."""

from __future__ import annotations

import numpy as np
import pytest

from training.config import OUTCOME_PAIRS, TrainingConfig
from training.fit import Examples
from training.labeling import Labels
from training.transfer import outcome_rows, transfer

CONFIG = TrainingConfig(token_weight=0.0, folds=3)
WEAK, STRONG = OUTCOME_PAIRS["nine_models"]
NAMES = ("nine_models/easy", "nine_models/hard")


def world(rows=240, corpus=60):
    """One column decides whether the weak model answers; the corpus teaches the same column."""
    draw = np.random.default_rng(5)
    inputs = draw.normal(size=(corpus + rows, 4)).astype(np.float32)
    answered = (inputs[:, 0] > 0).astype(np.float64)
    families = np.concatenate([np.zeros(corpus, dtype=np.int64), 1 + np.arange(rows) % 2])
    labels = Labels(np.stack([answered, np.ones(len(answered))], axis=1), np.full(len(answered), 0.1))
    examples = Examples(inputs, labels, np.arange(len(answered)) % 3, families)
    scores = [{WEAK: one, STRONG: 1.0} for one in answered[corpus:]]
    found = outcome_rows(scores, families[corpus:], NAMES, draw.random(rows), first=corpus)
    return examples, corpus, found


def test_what_decides_is_found_on_a_task_that_was_never_seen():
    examples, corpus, found = world()
    (areas,) = transfer(examples, corpus, found, CONFIG, embedded=2).values()
    assert set(areas) == {"easy", "hard", "all"}
    for task in ("easy", "hard"):
        assert areas[task]["rows"] == 120
        # the best order sends the half that the weak model fails on first: area 0.75
        assert areas[task]["left_out"] == pytest.approx(0.75, abs=0.03)
        assert areas[task]["corpus"] > 0.7 > areas[task]["length"]
        assert areas[task]["task_table"] == 0.5
    assert areas["all"]["corpus"] > areas["all"]["task_table"]


def test_rows_that_one_of_the_pair_did_not_answer_do_not_count():
    scores = [{WEAK: 1.0}, {WEAK: 0.0, STRONG: 1.0}, {}]
    found = outcome_rows(scores, np.array([1, 2, 0]), NAMES, np.ones(3), first=10)
    assert found["nine_models"].places.tolist() == [11]
    assert found["nine_models"].tasks == ["hard"]
    assert "routerbench" not in found
