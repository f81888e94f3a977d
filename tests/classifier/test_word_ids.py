"""Looking words up gives what the tokenizer itself gives."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import Whitespace

from classifier import word_ids
from classifier.artifact import TOKENIZER
from classifier.word_ids import WordIds

words = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
marks = st.sampled_from(
    [
        *string.punctuation,
        " ",
        "\n",
        "\t",
        "\r",
        "\x00",
        "\x0b",
        "\x1f",
        "\x7f",
        "\x85",
        "\u2028",
        "[MASK]",
        "é",
        "ΟΔΟΣ",
        "İ",
        "e\u0301",
        "\u0301",
        "\u200b",
        "\xa0",
        "漢字",
        "ñ",
    ]
)
texts = st.lists(words | marks, max_size=60).map("".join) | st.text(max_size=80)


@pytest.fixture(scope="module")
def tokenizer(artifact):
    return Tokenizer.from_file(str(artifact / TOKENIZER))


@pytest.fixture(scope="module")
def looked_up(artifact):
    return WordIds(Tokenizer.from_file(str(artifact / TOKENIZER)))


def ids_of(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def listed(looked_up, *texts):
    return [ids.tolist() for ids in looked_up.of(texts)]


@given(text=texts)
@example(text="a\x01b")
@example(text="a" * 101)
@example(text="What is [MASK] or [mask]?")
@example(text="snake_case, don't; 3.14 ~ {x}")
def test_any_text_has_the_ids_of_the_tokenizer(tokenizer, looked_up, text):
    assert listed(looked_up, text) == [ids_of(tokenizer, text)]


def test_words_are_asked_for_once(artifact, monkeypatch):
    asked = []
    looked_up = WordIds(Tokenizer.from_file(str(artifact / TOKENIZER)))
    encoded = looked_up._encoded
    monkeypatch.setattr(looked_up, "_encoded", lambda text: asked.append(text) or encoded(text))
    first = listed(looked_up, "the quibbling foxglove")
    assert listed(looked_up, "foxglove, the (quibbling)", "the quibbling foxglove")[1:] == first
    assert len(asked) == 1
    assert "the" not in asked[0].split()


def test_no_more_words_are_remembered_than_there_is_room_for(artifact, tokenizer, monkeypatch):
    monkeypatch.setattr(word_ids, "_MOST_WORDS", 5)
    looked_up = WordIds(Tokenizer.from_file(str(artifact / TOKENIZER)))
    for text in ("one two three", "three four five six seven eight", "one nine " + "x" * 60):
        assert listed(looked_up, text) == [ids_of(tokenizer, text)]
        assert len(looked_up._known) <= 6
    assert "x" * 60 not in looked_up._known


def test_a_tokenizer_of_another_kind_is_asked_for_the_whole_text(artifact):
    other = Tokenizer.from_file(str(artifact / TOKENIZER))
    other.pre_tokenizer = Whitespace()
    text = "don't stop: 3.14"
    assert listed(WordIds(other), text) == [ids_of(other, text)]
