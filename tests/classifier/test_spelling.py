"""One slip is put right; names, code, other languages and forms of known words are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from classifier.artifact import TOKENIZER, bundled_models, champion_folder
from classifier.reading import read
from classifier.spelling import Speller


def speller_vocabulary():
    tokenizer = Tokenizer.from_file(str(champion_folder(bundled_models()) / TOKENIZER))
    return tokenizer.get_vocab(with_added_tokens=False)


@pytest.fixture(scope="module")
def speller():
    return Speller(speller_vocabulary())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Pleaes summarise the folowing article.", "Please summarise the following article."),
        ("prove thsi theroem", "prove this theorem"),
        ("Expalin how a heat pump works", "Explain how a heat pump works"),
        ("WHAT DOES THIS CONTARCT SAY ABOUT NOTICE?", "WHAT DOES THIS CONTRACT SAY ABOUT NOTICE?"),
        ("is that a good apporach to the probelm we have", "is that a good approach to the problem we have"),
    ],
)
def test_one_slip_in_a_word_is_put_right(speller, typed, meant):
    assert speller.corrected(typed) == meant


@pytest.mark.parametrize(
    "text",
    [
        "Ask Bayes and Huber what they think of the matter.",
        "Apologise to the organiser, and reorganise the retrained dataset.",
        "the function get_totals() of src/totls/main.py returns None for me",
        "Translate for me:\n```\nteh quikc borwn fox\n```",
        "Könntest du bitte diesen Vertrag zusammenfassen und die Fristen nennen?",
        "¿Puedes resumir este contrato y decirme los plazos más importantes?",
        "请总结这份合同",
        "",
    ],
)
def test_what_may_be_meant_so_is_left_alone(speller, text):
    assert speller.corrected(text) is text


def test_only_the_request_of_a_reading_changes_and_what_is_sent_does_not(speller):
    prompt = [
        {"role": "system", "content": "Answer breifly."},
        {"role": "user", "content": "explain thsi please"},
    ]
    reading = read(prompt)
    found = speller.spelled(reading)
    assert (found.request, found.context) == ("explain this please", reading.context)
    assert prompt[1]["content"] == "explain thsi please"


@given(st.text())
def test_any_text_keeps_its_blanks_and_what_is_put_right_stays(speller, text):
    once = speller.corrected(text)
    assert len(once.split()) == len(text.split())
    assert speller.corrected(text) == once


def test_what_was_read_before_changes_nothing():
    first, then = "We asked Thnik for the plan.", "Thnik about the plan again."
    fresh = Speller(speller_vocabulary())
    alone = fresh.corrected(then)
    fresh = Speller(speller_vocabulary())
    assert fresh.corrected(first) is first
    assert fresh.corrected(then) == alone != then
