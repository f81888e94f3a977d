"""Wording that says nothing of the work, and what must never be taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.courtesy import is_courtesy
from classifier.reading import read
from classifier.wording import is_heap, pasted_turns, plain_wording, without_heap

ASKED = "Prove that there are infinitely many primes."


def request(text):
    return read(text).request


def test_a_line_broken_within_a_sentence_is_joined_and_a_list_is_not():
    assert request("Sort these\nnumbers, the largest\nfirst.") == "Sort these numbers, the largest first."
    for kept in ("Sort:\n- b\n- a", "First.\nSecond.", "def f(x):\n    return x", "A\nB"):
        assert request(kept) == kept


def test_a_sentence_that_is_said_again_counts_once():
    filler = "The tea was warm and the weather was mild that afternoon. "
    assert request(filler * 12 + ASKED) == filler + ASKED
    assert request("Yes. Yes. Yes. Yes. Go. Go.") == "Yes. Yes. Yes. Yes. Go. Go."


def test_a_long_rule_counts_as_a_short_one():
    assert request(ASKED + "\n" + "-" * 400) == request(ASKED + "\n" + "-" * 5)


@pytest.mark.parametrize(
    "heap",
    ["theorem proof lemma asymptotic", "hi, opening hours, order status, yes, ok", "Beweis Lemma Satz"],
)
def test_a_heap_of_words_beside_a_request_is_left_out(heap):
    assert without_heap(f"{ASKED}\n\n{heap}") == ASKED
    assert without_heap(f"{heap}\n\n{ASKED}") == ASKED


@pytest.mark.parametrize(
    "text",
    [
        "Sort these fruits by price, please:\n\napples pears plums cherries",  # announced
        "Thanks\n\nProve the lemma for all n",  # it holds together
        "Hello.\n\ntheorem proof lemma asymptotic",  # nothing else is left
        f"{ASKED}\n\nprint x = 3",  # marks and digits are no bare words
        f"{ASKED}\n\nquick proof",  # two words can be an order
    ],
)
def test_what_may_be_the_work_itself_stays(text):
    assert without_heap(text) == text


def test_a_heap_needs_words_that_nothing_joins():
    assert is_heap("mutex, race condition, consensus")
    assert not is_heap("explain the mutex")
    assert not is_heap("mutex " * 40)


def test_of_a_pasted_conversation_the_last_turn_that_asks_is_the_request():
    said = f"User: hi\nAssistant: Hello!\nUser: {ASKED}\nAssistant: Done.\nUser: thanks!"
    found = read(said)
    assert found.request == ASKED
    assert found.context == "hi\nHello!\nDone.\nthanks!"
    assert found.request_chars == len(said)


def test_a_label_without_an_answer_is_no_conversation():
    assert pasted_turns("Q: What is a monad?") == []
    assert pasted_turns("User: table with name, age") == []


def test_only_thanks_is_courtesy():
    assert is_courtesy("thanks!")
    assert is_courtesy("Vielen Dank")
    assert not is_courtesy("thanks, and now prove the converse")


@given(st.text(alphabet=st.sampled_from(" \n.,:-=ab Aß證*User:Assistant:"), max_size=300))
def test_any_text_has_a_plain_wording_that_adds_nothing(text):
    plain = plain_wording(text)
    assert len(plain) <= len(text)
    assert set(plain) <= set(text) | {" "}
    assert bool(plain.strip()) == bool(text.strip())
