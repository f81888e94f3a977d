"""Courtesy goes from the ends of a request, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.courtesy import evenly_spaced, without_courtesy

TEXT = "Sort these names by length: Ada, Grace, Edsger."


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Hi! ", ""),
        ("Good morning, ", " Thanks a lot!"),
        ("Hello there, I hope you are well. ", " Many thanks in advance."),
        ("Sorry to bother you again. Quick question: ", " I appreciate it."),
        ("Could you please help me with this? ", " Best regards, Sam"),
        ("Guten Tag, ", " Vielen Dank"),
        ("Bonjour, ", " Merci d'avance !"),
        ("您好，", " 谢谢！"),
        ("", " 🙏"),
    ],
)
def test_greetings_and_thanks_go(before, after):
    assert without_courtesy(f"{before}{TEXT}{after}") == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!",
        "Hello!",
        "ok thanks bye now please",
        "Write a thank-you note to my aunt and say thank you twice in it, please.",
        "Hi is two letters; how many anagrams has it?",
        "What does 'gracias' mean",
        "Dear Sir or Madam is out of fashion. What else can I write?",
    ],
)
def test_what_is_asked_stays(text):
    assert without_courtesy(text) == text


@given(st.text(max_size=300))
def test_what_is_left_is_a_part_of_the_text_and_not_nothing(text):
    kept = without_courtesy(text)
    assert kept in text
    assert bool(kept.strip()) == bool(text.strip())


@given(st.text(alphabet=" \t\nab`", max_size=200))
def test_even_spacing_keeps_every_letter_and_is_done_once(text):
    found = evenly_spaced(text)
    assert "".join(found.split()) == "".join(text.split())
    assert evenly_spaced(found) == found


@given(st.text(alphabet=" \nab,é\u3000", max_size=60))
def test_spaces_go_the_same_whether_or_not_there_are_tabs(text):
    assert evenly_spaced(f"a\tb.{text}") == "a " + evenly_spaced(f"b.{text}")


def test_indentation_stays():
    code = "def f():\n    if x:\n        return  1"
    assert evenly_spaced(code) == "def f():\n    if x:\n        return 1"
