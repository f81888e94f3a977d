from __future__ import annotations

import hashlib
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier import features as counting
from classifier.features import FEATURE_NAMES, FEATURE_SCHEMA_VERSION, features
from classifier.lexicon import SHAPES, TASKS, UNSPACED
from classifier.reading import Reading, read

any_text = st.text(st.characters(exclude_categories=()))
# What quick ways may stumble over: marks, blanks of every kind, letters that change with their case.
marked_text = st.lists(
    st.sampled_from(
        [*"-*#|>)(=:;&<`~^$²π“–，؟ \n\t\r\x0b\x1c\x85\xa0\u2028", "    ", "12", "1.", "Aa", "ΣΟΣ", "İ"]
    )
    | st.sampled_from([mark for marks in counting._CODE_MARKS.values() for mark in marks]),
    max_size=60,
).map("".join)

# The definitions of what is counted, as plain as they come.
_A_WORD = re.compile(r"[^\s!-,./:-@\[-^`{-~“”„«»‘’¿¡…–—−、。，！？：；（）「」؟،]+")
_A_LINE = re.compile(counting._LINE.pattern.replace(r"\n", "^", 1), re.MULTILINE)


def surface(prompt):
    return dict(zip(FEATURE_NAMES, features(read(prompt)).tolist(), strict=True))


@given(any_text, any_text)
def test_any_unicode_gives_finite_numbers_of_one_shape(request, context):
    found = features(read([{"role": "system", "content": context}, {"role": "user", "content": request}]))
    assert found.shape == (len(FEATURE_NAMES),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "text",
    ["", "\x00", " ", "\n" * 9_000, "\ud800", "👩‍👩‍👧‍👦" * 500, "́" * 5_000, "\u202e مرحبا", "-" * 9_000],
)
def test_texts_that_break_careless_code_are_counted_all_the_same(text):
    assert np.isfinite(features(read(text))).all()
    assert np.isfinite(features(Reading(request=text, context=text))).all()


@given(any_text | marked_text)
def test_the_quick_ways_count_what_plain_regexes_find(text):
    assert counting._words(text) == _A_WORD.findall(text.lower())
    assert counting._numbers(text) == len(re.findall("[0-9]+", text))
    found = [line.lastindex for line in _A_LINE.finditer(text)]
    assert counting._lines(text) == [math.log1p(found.count(kind + 1)) for kind in range(8)]


@given(marked_text)
def test_every_mark_is_counted_wherever_it_stands(text):
    for marks in (counting._CODE_MARKS, counting._MATHS_MARKS):
        flat = [mark for with_it in marks.values() for mark in with_it]
        assert counting._marks(text, marks) == sum(map(text.count, flat))
    assert all(char in mark for char, with_it in counting._CODE_MARKS.items() for mark in with_it)


def test_the_names_change_only_together_with_the_schema_version():
    digest = hashlib.sha256("\n".join(FEATURE_NAMES).encode()).hexdigest()[:12]
    assert (FEATURE_SCHEMA_VERSION, len(FEATURE_NAMES), digest) == (6, 147, "96e2c77989e5")
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)


def test_of_a_megabyte_only_the_ends_and_the_length_are_counted():
    head, tail = "word " * 1_000, " word" * 1_000
    short = surface(head + "x " * 5_000 + tail)
    long = surface(head + "x " * 500_000 + tail)
    unread = {"log_unread_chars"}
    assert {name for name in FEATURE_NAMES if short[name] != long[name]} == unread


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Prove that the sum converges.", "lead_prove"),
        ("Beweise, dass die Folge konvergiert.", "lead_prove"),
        ("Докажи, что ряд сходится.", "lead_prove"),
        ("请证明这个定理。", "edge_prove"),
        ("この文を要約して", "edge_summarise"),
        ("Translate this to French", "lead_translate"),
        ("Why does it crash?", "lead_why"),
        ("- one\n- two", "lines_bullet"),
        ("Which?\nA) one\nB) two", "lines_option"),
        ("```python\nx = f()\n```", "lines_fence"),
        ("| a | b |\n| - | - |", "lines_table"),
        ("∀x ∈ ℝ: x² ≥ 0", "log_maths"),
        ("if (a == b) { return c(); }", "log_code"),
        ("Привет", "share_cyrillic"),
        ("مرحبا", "share_arabic"),
        ("नमस्ते", "share_indic"),
        ("こんにちは", "share_kana"),
        ("안녕하세요", "share_hangul"),
        ("你好", "share_han"),
        ("déjà vu", "share_latin_accent"),
        ("😀", "share_emoji"),
    ],
)
def test_what_stands_on_the_surface_is_counted(prompt, name):
    assert surface(prompt)[name] > 0.0
    assert surface("plain words here")[name] == 0.0


def test_the_first_word_counts_most():
    assert (
        surface("Explain it, then list it")["lead_explain"] > surface("So explain it")["lead_explain"] > 0.0
    )


def test_a_last_paragraph_leads_like_a_first_one():
    document = " ".join(f"Meeting {number} is on Tuesday." for number in range(50))
    at_the_end, at_the_start = surface(f"{document}\n\nProve it."), surface(f"Prove it.\n\n{document}")
    assert at_the_end["lead_prove"] == at_the_start["lead_prove"] == 1.0
    assert at_the_end["rate_prove"] == at_the_start["rate_prove"] > 0.0


def test_a_context_speaks_the_louder_the_shorter_the_request():
    before = [{"role": "user", "content": "Prove 3 lemmas."}, {"role": "assistant", "content": "Ok."}]
    short = surface([*before, {"role": "user", "content": "second one"}])
    long = surface([*before, {"role": "user", "content": "tell me about the weather in the north " * 5}])
    assert short["context_hard_tasks"] > long["context_hard_tasks"] > 0.0
    assert surface("second one")["leans_on_context"] == 0.0


def test_what_a_prompt_says_of_its_own_difficulty_is_in_no_class_of_words():
    words = {word for row in (TASKS | SHAPES).values() for word in row.split()}
    assert not words & {
        "hard",
        "easy",
        "simple",
        "difficult",
        "complex",
        "cheapest",
        "best",
        "expert",
        "model",
    }


def test_words_of_scripts_without_spaces_belong_to_classes_that_exist():
    assert set(UNSPACED) <= set(TASKS | SHAPES)
