from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from training.config import TrainingConfig
from training.fit import Examples, FitError, fit_heads, sufficiency
from training.labeling import Labels, graded

TIERS = ("economy", "standard", "premium")
CONFIG = TrainingConfig(folds=3, regularisation=(0.1, 10.0))


def fit(inputs, labels, folds, families=None, tokens=None, config=CONFIG):
    families = np.zeros(len(inputs), dtype=np.int64) if families is None else families
    return fit_heads(Examples(inputs, labels, folds, families, tokens), config, embedded=2)


def problem(rows=300, seed=0):
    """Rows whose first feature says which tier they need; columns 0 and 1 count as the embedding."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(rows, 5)).astype(np.float32)
    places = np.digitize(inputs[:, 2] + 0.3 * draw.normal(size=rows), [-0.5, 0.5])
    return inputs, graded([TIERS[place] for place in places], TIERS), np.arange(rows) % 3, places


def test_heads_learn_what_decides_and_never_contradict_each_other():
    inputs, labels, folds, places = problem()
    found = sufficiency(fit(inputs, labels, folds), inputs)
    assert (np.diff(found, axis=1) >= 0).all() and (found[:, -1] == 1.0).all()
    assert np.mean((found[:, 0] >= 0.5) == (places == 0)) > 0.85


def test_an_unanswered_question_teaches_a_head_nothing():
    inputs, labels, folds, _ = problem()
    poisoned = inputs.copy()
    poisoned[::2, 2] = 50.0
    targets = labels.targets.copy()
    targets[::2, 0] = np.nan
    half = Labels(targets[1::2], labels.weights[1::2])
    partial = fit(poisoned, Labels(targets, labels.weights), folds)[0]
    alone = fit(inputs[1::2], half, folds[1::2])[0]
    assert np.array_equal(partial.probability(inputs), alone.probability(inputs))


def test_a_row_of_weight_two_counts_as_two_rows():
    inputs, labels, folds, _ = problem(120)
    doubled = fit(
        np.vstack([inputs, inputs]),
        Labels(np.vstack([labels.targets] * 2), np.ones(240)),
        np.tile(folds, 2),
    )
    weighted = fit(inputs, Labels(labels.targets, np.full(120, 2.0)), folds)
    for one, other in zip(doubled, weighted, strict=True):
        assert one.c == other.c
        assert one.probability(inputs) == pytest.approx(other.probability(inputs), abs=1e-3)


def test_the_same_rows_give_the_same_heads():
    inputs, labels, folds, _ = problem()
    one, other = (fit(inputs, labels, folds) for _ in range(2))
    assert all(
        np.array_equal(a.probability(inputs), b.probability(inputs)) for a, b in zip(one, other, strict=True)
    )


def test_one_absurd_value_moves_a_row_no_further_than_the_clip():
    inputs, labels, folds, _ = problem()
    heads = fit(inputs, labels, folds)
    far, farther = inputs[:1].copy(), inputs[:1].copy()
    far[0, 2], farther[0, 2] = 1e3, 1e9
    assert np.array_equal(sufficiency(heads, far), sufficiency(heads, farther))


def test_labels_that_all_say_the_same_are_refused_with_the_way_out():
    inputs, _, folds, _ = problem()
    with pytest.raises(FitError, match="Every row says the same of tier 'economy'"):
        fit(inputs, graded(["economy"] * len(inputs), TIERS), folds)


def test_a_family_teaches_the_order_within_itself_and_leaves_the_level_alone():
    inputs, labels, folds, places = problem()
    easy = Labels(np.ones_like(labels.targets), labels.weights)
    easy.targets[inputs[:, 3] > 0] = 0.75
    both = labels.and_then(easy)
    families = np.repeat([0, 1], len(inputs))
    alone = sufficiency(fit(inputs, labels, folds), inputs)
    beside = sufficiency(fit(np.vstack([inputs, inputs]), both, np.tile(folds, 2), families), inputs)
    assert abs(beside[:, 0].mean() - alone[:, 0].mean()) < 0.02
    assert abs(beside[:, 0].mean() - np.mean(places == 0)) < 0.02


def test_a_target_in_between_is_that_much_of_a_yes():
    inputs, labels, folds, _ = problem()
    unsure = Labels(0.2 + 0.6 * labels.targets, labels.weights)
    sure, found = (sufficiency(fit(inputs, one, folds), inputs)[:, 0] for one in (labels, unsure))
    assert np.corrcoef(sure, found)[0, 1] > 0.9
    assert found.std() < 0.8 * sure.std()


def test_a_token_that_decides_is_weighed_though_no_feature_shows_it():
    inputs, labels, folds, places = problem()
    tokens = csr_matrix(np.eye(3)[places])
    found = sufficiency(
        heads := fit(inputs[:, [0, 1, 3, 4]], labels, folds, tokens=tokens), inputs[:, [0, 1, 3, 4]], tokens
    )
    assert all(head.words is not None and head.words.shape == (3,) for head in heads)
    assert np.mean((found[:, 0] >= 0.5) == (places == 0)) > 0.95
