from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.robustness import (
    KINDS,
    change_request,
    kept,
    options,
    paraphrases,
    perturb,
    perturbed_pairs,
    survival,
    typos,
)

TEXT = "Please explain the error in this function: what does it return, and is the answer correct?"
CODE = "Please explain this function.\n```\nthe   Return  Value, x;\n```\nIs the answer correct?"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "options"])
def test_every_kind_changes_prose_the_same_way_each_time_and_leaves_code(kind):
    assert perturb(TEXT, kind) != TEXT or kind == "case"
    assert perturb(TEXT, kind) == perturb(TEXT, kind)
    assert "```\nthe   Return  Value, x;\n```" in perturb(CODE, kind)


@pytest.mark.parametrize("kind", KINDS)
@given(st.text(max_size=80))
def test_no_text_breaks_a_perturbation(kind, text):
    assert isinstance(perturb(text, kind), str)


def test_one_word_of_twelve_is_mistyped_and_at_least_one():
    words = ["harbour"] * 36
    assert sum(word != "harbour" for word in typos(" ".join(words), random.Random(0)).split()) in (2, 3)
    assert all(typos("harbour", random.Random(seed)) != "harbour" for seed in range(30))


@pytest.mark.parametrize(
    "layout", ["Q?\nA) red\nB) blue", "Q?\nA. red\nB. blue", "Q?\n1. red\n2. blue", "Q?\n(A) red\n(B) blue"]
)
def test_answers_swap_and_letters_stay_in_every_layout(layout):
    swapped = layout.replace("red", "x").replace("blue", "red").replace("x", "blue")
    assert options(layout, random.Random(0)) == swapped


def test_a_prompt_without_options_is_not_counted():
    assert options(TEXT, random.Random(0)) == TEXT
    assert perturbed_pairs([TEXT], "options") == []
    assert survival([])["value"] is None


def test_of_a_conversation_only_the_last_user_message_changes():
    talk = {
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "second"},
            {"role": "user", "content": "third"},
        ],
        "tools": [],
    }
    changed = change_request(talk, str.upper)
    assert [message["content"] for message in changed["messages"]] == ["first", "second", "THIRD"]
    assert talk["messages"][2]["content"] == "third"


def test_survival_is_the_share_that_keeps_its_tier():
    def classify(prompt):
        return "economy" if prompt in ("One.", "One", "Two.") else "premium"

    same = kept(perturbed_pairs(["One.", "Two."], "punctuation"), classify)
    assert same == [True, False]
    found = survival(same, rounds=50)
    assert (found["rows"], found["value"]) == (2, 0.5)


def test_paraphrases_are_paired_by_id_and_an_unknown_one_is_named(tmp_path):
    file = tmp_path / "paraphrases.jsonl"
    assert paraphrases(file, ()) == []
    file.write_text('{"id": "p1", "of": "a", "prompt": "other words"}\n')
    assert paraphrases(file, {"a"}) == [("a", "other words")]
    with pytest.raises(ValueError, match="'a' is no id of the corpus"):
        paraphrases(file, ())
