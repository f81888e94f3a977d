"""The terms of a request: each counted once, whatever surrounds it, and little moved by a typing error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.terms import Terms, letter_runs

VOCABULARY = 30_522


@pytest.fixture(scope="module")
def terms():
    return Terms(VOCABULARY)


def found(terms, text, ids=(5, 6, 5)):
    return terms.of(np.array(ids, dtype=np.int64), text)


def runs(terms, text):
    return set(found(terms, text)[0][found(terms, "")[0].size :].tolist())


@given(st.text(), st.lists(st.integers(0, VOCABULARY - 1), max_size=80))
def test_any_request_has_places_in_the_table_and_each_block_is_as_loud(terms, text, ids):
    places, weights = found(terms, text, ids)
    assert len(places) == len(weights) >= 2
    assert places.min() >= 0 and places.max() < terms.places
    # blocks of tokens and of pairs, and one of letters where there are any
    assert round(float(np.sum(weights.astype(float) ** 2)), 3) in (2.0, 3.0)


def test_what_is_said_again_counts_once(terms):
    once, again = found(terms, "prove it"), found(terms, "prove it prove it")
    assert np.array_equal(once[0], again[0])
    assert found(terms, "", (7, 7, 7))[0].tolist()[:2] == [0, 7]


def test_words_are_remembered_to_the_same_places(terms):
    text = "Prove that NP-hard problems, whatever they are, stay hard."
    assert np.array_equal(found(Terms(VOCABULARY), text)[0], found(terms, text)[0])
    assert np.array_equal(found(terms, text)[0], found(terms, text)[0])


def test_the_middle_of_a_long_request_has_no_runs(terms):
    edges = " ".join(["word"] * 60)
    assert runs(terms, f"{edges} hidden {edges}") == runs(terms, edges)


def test_a_typing_error_leaves_most_runs_of_a_word(terms):
    kept = runs(terms, "differenciate") & runs(terms, "differentiate")
    assert len(kept) >= 8
    assert not runs(terms, "differentiate") & runs(terms, "umbrella")


def test_what_is_no_word_has_no_runs():
    assert letter_runs("a" * 25) == []
    assert letter_runs("a") == [" a "]
