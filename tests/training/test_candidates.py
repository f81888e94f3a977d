"""The comparison of candidates: by one set of folds, on held-out rows, and able to tell good from bad."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from tests.training.test_fit import CONFIG, problem
from training.candidates import CANDIDATES, compare_candidates
from training.fit import Examples


def examples(tokens=True):
    inputs, labels, folds, places = problem()
    words = csr_matrix(np.eye(3)[places]) if tokens else None
    return Examples(inputs, labels, folds, np.zeros(len(inputs), dtype=np.int64), words)


def test_every_candidate_finds_what_decides_and_the_one_that_sees_the_deciding_token_is_best():
    found = compare_candidates(examples(), CONFIG, embedded=2)
    assert found.keys() == CANDIDATES.keys()
    for head in ("economy", "standard"):
        assert all(figures[head]["auc"] > 0.7 for figures in found.values())
        best = max(found, key=lambda name: found[name][head]["auc"])
        assert best == "logistic with tokens"


def test_a_row_is_never_scored_by_what_has_seen_it():
    shuffled = examples(tokens=False)
    targets = np.random.default_rng(0).permutation(shuffled.labels.targets)
    found = compare_candidates(
        replace(shuffled, labels=replace(shuffled.labels, targets=targets)), CONFIG, embedded=2
    )
    assert all(abs(figures["economy"]["auc"] - 0.5) < 0.12 for figures in found.values())
