from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks.in_domain import report
from training.in_domain import by_own_labels
from training.outcome_pairs import pairs_of
from training.sources import Outcome

DRAW = np.random.default_rng(11)
INPUTS = DRAW.normal(size=(300, 20)).astype(np.float32)
FOLDS = np.arange(300) % 5


def test_what_the_labels_hold_is_found():
    gain = INPUTS[:, 0] + DRAW.normal(size=300)
    assert np.corrcoef(by_own_labels(INPUTS, gain, FOLDS, 3.0), gain)[0, 1] > 0.6


def test_noise_is_not_learned_by_heart():
    found = by_own_labels(INPUTS, DRAW.normal(size=300), FOLDS, 3.0)
    assert np.abs(found).max() < 0.5


def test_too_few_rows_teach_nothing():
    assert np.isnan(by_own_labels(INPUTS[:40], np.ones(40), FOLDS[:40], 3.0)).all()


@pytest.mark.parametrize("place", [0, 137, 299])
def test_no_row_is_ranked_by_its_own_fold(place):
    gain = INPUTS[:, 1].astype(float)
    other = gain.copy()
    other[place] += 100.0
    same = FOLDS[place] == FOLDS
    before, after = by_own_labels(INPUTS, gain, FOLDS, 3.0), by_own_labels(INPUTS, other, FOLDS, 3.0)
    assert (before[same] == after[same]).all()
    assert not (before[~same] == after[~same]).all()


def test_the_command_shows_each_way_beside_length_and_table(config):
    pairs = pairs_of("nine_models", config)
    models = {model for pair in pairs.values() for side in pair for model in side}
    weak = {model for weak, _ in pairs.values() for model in weak}
    rows = [
        Outcome(str(place), "nine_models", task, f"{'prove' if place % 2 else 'name'} {task} number {place}",
                {model: float(model not in weak or place % 2 == 0) for model in models})
        for task in ("mmlu", "arc_challenge", "openbook_qa") for place in range(120)
    ]  # fmt: skip
    text = "\n".join(report("nine_models", rows, replace(config, resamples=20)))
    assert text.count("exams as in MMLU: 360 prompts, weak 0.500, strong 1.000") == len(pairs) == 2
    assert text.count("gain from both ") == 2 * 4
    assert "gain from features              0.75" in text
    assert "better; better" in text
