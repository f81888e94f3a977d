"""What judges is never fitted on, now or later; what is too much is left out in whole conversations."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.feedback import Graded
from training.feedback_rows import sides
from training.labeling import Labels

pairs = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=120)


def digest(number, kind):
    return int.from_bytes(np.random.default_rng([number, kind]).bytes(8), signed=True)


def rows_of(found):
    conversations = np.array([digest(one, 0) for one, _ in found], dtype=np.int64)
    prompts = np.array([digest(one, 1) for _, one in found], dtype=np.int64)
    count = np.arange(len(found))
    labels = Labels(np.zeros((len(found), 2)), np.ones(len(found)))
    ones = np.ones(len(found))
    return Graded(labels, count, count, conversations, prompts, count * 0, ones, count * 0, ("",), {})


@given(pairs, pairs)
def test_no_conversation_changes_sides_as_the_log_grows(before, more):
    first, second = rows_of(before), rows_of(before + more)
    judged = set(first.conversations[sides(first, 0.3, 10_000, 10_000).judging])
    assert not judged & set(second.conversations[sides(second, 0.3, 10_000, 10_000).fitted])


@given(pairs)
def test_a_prompt_that_is_fitted_on_judges_nothing(found):
    graded = rows_of(found)
    split = sides(graded, 0.3, 10_000, 10_000)
    assert not set(graded.prompts[split.judging]) & set(graded.prompts[split.fitted])
    left = split.left_out.get("held out, but asked on the fitted side too", 0)
    assert int(split.fitted.sum() + split.judging.sum()) + left == len(found)


@given(pairs, st.integers(1, 40))
def test_what_is_too_much_is_left_out_by_whole_conversations(found, most):
    graded = rows_of(found)
    everything = sides(graded, 0.3, 10_000, 10_000).fitted
    split = sides(graded, 0.3, most, 10_000)
    kept, left = graded.conversations[split.fitted], graded.conversations[everything & ~split.fitted]
    assert len(kept) <= most
    if len(set(kept)) > 1:
        assert not set(kept) & set(left)
    assert split.left_out.get("beyond what is fitted on", 0) == len(left)
