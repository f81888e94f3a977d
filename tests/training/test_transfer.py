"""Area recovered on outcome data: what is left out is left out, and the pair's rows are the pair's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.config import TrainingConfig
from training.fit import Examples
from training.labeling import Labels
from training.transfer import (
    CORPUS,
    Transfer,
    corpus_rows,
    outcome_rows,
    sources_left_out,
    transfer,
    without_each,
)

CONFIG = TrainingConfig(token_weight=0.0, folds=3, resamples=60)
TIERS = {
    "economy": ("mistral-7b-instruct-v0.3",),
    "standard": ("gemma-2-9b-it",),
    "premium": ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1"),
}
CONFIG = replace(CONFIG, outcome_tiers={"nine_models": TIERS})
WEAK, (STRONG, OTHER) = TIERS["economy"][0], TIERS["premium"]
NAMES = ("nine_models/easy", "nine_models/hard")
PAIRS = ("1 economy and 2 premium models", f"{WEAK} and {STRONG}")


def world(rows=240, corpus=60, names=NAMES):
    """One column decides whether the weak model answers; the corpus teaches the same column."""
    draw = np.random.default_rng(5)
    inputs = draw.normal(size=(corpus + rows, 4)).astype(np.float32)
    answered = (inputs[:, 0] > 0).astype(np.float64)
    families = np.concatenate([np.zeros(corpus, dtype=np.int64), 1 + np.arange(rows) % len(names)])
    labels = Labels(np.stack([answered, np.ones(len(answered))], axis=1), np.full(len(answered), 0.1))
    examples = Examples(inputs, labels, np.arange(len(answered)) % 3, families)
    scores = [{WEAK: one, STRONG: 1.0, OTHER: 1.0} for one in answered[corpus:]]
    found = outcome_rows(scores, families[corpus:], names, draw.random(rows), corpus, CONFIG)
    return Transfer(examples, corpus, found, CONFIG, embedded=2)


def test_what_decides_is_found_on_a_task_that_was_never_seen():
    made = world()
    found = transfer(made, without_each(made))
    assert list(found) == [f"nine_models, {pair}" for pair in PAIRS]
    areas = found[f"nine_models, {PAIRS[0]}"]
    assert set(areas) == {"easy", "hard", "all"}
    for task in ("easy", "hard"):
        assert areas[task]["rows"] == 120
        # the best order sends the half that the weak model fails on first: area 0.75
        assert areas[task]["left_out"] == pytest.approx(0.75, abs=0.03)
        assert areas[task]["corpus"] > 0.7 > areas[task]["length"]
        assert areas[task]["own_labels"] > 0.7
        assert areas[task]["task_table"] == 0.5
        assert areas[task]["against"]["length"]["left_out"]["said"] == "better"
        # there is no other source: what is left without this one is the corpus
        assert areas[task]["source_out"] == areas[task]["corpus"]
    assert areas["all"]["corpus"] > areas["all"]["task_table"]
    assert areas["all"]["left_out"] is None


def test_a_source_that_is_left_out_teaches_nothing_of_itself():
    made = world()
    swapped = replace(
        made.examples, labels=replace(made.examples.labels, targets=made.examples.labels.targets.copy())
    )
    swapped.labels.targets[made.own :, 0] = 1 - swapped.labels.targets[made.own :, 0]
    rows = corpus_rows(
        1 - made.examples.labels.targets[: made.own, 0].astype(int), ["any"] * made.own, np.ones(made.own)
    )
    found = sources_left_out(made, without_each(made), rows)
    source, corpus = f"nine_models, {PAIRS[0]}", f"{CORPUS}, as labelled"
    assert list(found) == [source, f"nine_models, {PAIRS[1]}", corpus]
    other = replace(made, examples=swapped)
    other = sources_left_out(other, without_each(other), rows)
    # labels of the source itself do not matter for it, and decide all where the corpus is what is left out
    assert other[source]["source_out"] == found[source]["source_out"] > 0.7
    assert other[corpus]["source_out"] < 0.4 < 0.6 < found[corpus]["source_out"]
    assert found[corpus]["length"] == found[corpus]["random"] == 0.5


def test_where_all_the_rest_says_the_same_there_is_nothing_to_learn_without_a_source():
    made = world()
    made.examples.labels.targets[made.own :, 0] = 1.0
    rows = corpus_rows(np.arange(made.own) % 2, ["any"] * made.own, np.ones(made.own))
    (only,) = sources_left_out(replace(made, found={}), {}, rows).values()
    assert only["source_out"] is None


def test_rows_that_one_of_the_models_did_not_answer_do_not_count_and_a_side_is_its_mean():
    scores = [{WEAK: 1.0}, {WEAK: 0.0, STRONG: 1.0, OTHER: 0.5}, {}]
    found = outcome_rows(scores, np.array([1, 2, 0]), NAMES, np.ones(3), 10, CONFIG)
    assert found["nine_models"].places.tolist() == [11]
    assert found["nine_models"].every.tolist() == [10, 11]
    assert found["nine_models"].tasks == ["hard"]
    assert [strong.tolist() for _, strong in found["nine_models"].pairs.values()] == [[0.75], [1.0]]
    assert "routerbench" not in found


def test_votes_have_no_pair():
    assert (
        outcome_rows([{"a": 1.0, "b": 0.0}], np.array([1]), ("arena_55k/arena",), np.ones(1), 0, CONFIG) == {}
    )


def test_tasks_of_one_exam_stand_together_with_their_own_table():
    made = world(names=tuple(f"nine_models/{task}" for task in ("arc_challenge", "mmlu", "openbook_qa")))
    areas = transfer(made, without_each(made))[f"nine_models, {PAIRS[0]}"]
    assert list(areas) == ["arc_challenge", "mmlu", "openbook_qa", "exams as in MMLU", "all"]
    together = areas["exams as in MMLU"]
    assert together["rows"] == areas["all"]["rows"] == 240
    assert together["own_labels"] > 0.7
    assert (together["in_domain"], together["left_out"]) == (None, None)
