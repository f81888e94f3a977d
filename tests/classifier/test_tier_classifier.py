from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.reading import HEAD_CHARS, ReadingError

any_text = st.text(st.characters(exclude_categories=()), max_size=300)

EASY_DOCUMENT = "The meeting was moved to Tuesday because Anna is ill. Lunch will be served at noon. " * 400
HARD_REQUEST = (
    "Prove rigorously, by induction and without assuming the theorem, that the bound derived below is best "
    "for every n, and construct a counterexample where the assumption fails."
)
PROOF = {"role": "user", "content": "Prove that every bounded sequence in R^n has a convergent subsequence."}
STEP = {"role": "assistant", "content": "We begin with the case n = 1. Shall I go on with the induction?"}


def user(content):
    return {"role": "user", "content": content}


def assert_same(one, other):
    assert one.sufficiency == other.sufficiency
    assert np.array_equal(one.embedding, other.embedding)


@settings(max_examples=40)
@given(st.lists(any_text, max_size=6))
def test_a_batch_is_bit_for_bit_what_single_calls_are(classifier, prompts):
    for one, prompt in zip(classifier.predict(prompts), prompts, strict=True):
        assert_same(one, classifier.predict_one(prompt))


@settings(max_examples=40)
@given(any_text)
def test_a_string_and_a_conversation_of_one_message_weigh_the_same(classifier, text):
    string, messages, object_ = classifier.predict([text, [user(text)], {"messages": [user(text)]}])
    assert_same(string, messages)
    assert_same(string, object_)


@settings(max_examples=60)
@given(any_text, any_text)
def test_sufficiency_never_falls_and_ends_at_one(classifier, request_text, context):
    found = classifier.predict_one([{"role": "system", "content": context}, user(request_text)])
    assert list(found.sufficiency) == sorted(found.sufficiency)
    assert found.sufficiency[0] >= 0.0 and found.sufficiency[-1] == 1.0
    assert len(found.sufficiency) == len(classifier.tiers)
    assert found.required_tier in classifier.tiers


def test_nothing_is_still_weighed(classifier):
    assert classifier.predict([]) == []
    assert classifier.predict_one("").required_tier == "economy"


def test_an_embedding_has_length_one(classifier):
    for prompt in ("", "hello", "x" * 1_000_000):
        length = np.linalg.norm(classifier.predict_one(prompt).embedding)
        assert length == pytest.approx(1.0, abs=1e-5)


def test_a_megabyte_weighs_what_its_ends_and_its_length_weigh(classifier):
    assert 0.0 <= classifier.predict_one("word " * 400_000).sufficiency[0] <= 1.0
    assert 0.0 <= classifier.predict_one("字" * 1_000_000).sufficiency[0] <= 1.0


def test_a_hard_request_at_the_end_of_a_long_easy_document_is_seen(classifier):
    plain = classifier.predict_one(f"Please read this.\n\n{EASY_DOCUMENT}\n\nWhen is lunch?")
    hard = classifier.predict_one(f"Please read this.\n\n{EASY_DOCUMENT}\n\n{HARD_REQUEST}")
    assert hard.sufficiency[0] < plain.sufficiency[0] - 0.2
    assert hard.sufficiency[1] < plain.sufficiency[1] - 0.2


def test_a_reader_of_the_head_alone_would_miss_it(classifier):
    document = f"Please read this.\n\n{EASY_DOCUMENT}\n\n"
    hard, plain = (
        classifier.predict_one((document + end)[:HEAD_CHARS]) for end in (HARD_REQUEST, "When is lunch?")
    )
    assert hard.sufficiency == plain.sufficiency


def test_a_hard_request_at_the_head_of_a_long_easy_document_is_seen(classifier):
    plain = classifier.predict_one(f"When is lunch?\n\n{EASY_DOCUMENT}")
    hard = classifier.predict_one(f"{HARD_REQUEST}\n\n{EASY_DOCUMENT}")
    assert hard.sufficiency[0] < plain.sufficiency[0] - 0.2


@pytest.mark.parametrize("last", ["yes, go on", "weiter bitte", "继续"])
def test_go_on_after_a_proof_needs_what_the_proof_needs(classifier, last):
    lone = classifier.predict_one(last)
    inside = classifier.predict_one([PROOF, STEP, user(last)])
    assert lone.required_tier == "economy"
    assert inside.required_tier == classifier.predict_one([PROOF]).required_tier == "premium"


@pytest.mark.parametrize("last", ["thanks, that was all!", "danke dir!"])
def test_thanks_after_a_proof_needs_little(classifier, last):
    assert classifier.predict_one([PROOF, STEP, user(last)]).required_tier == "economy"


@pytest.mark.parametrize(
    "prompt",
    [
        "Where is my order?",
        "What are your opening hours?",
        "I forgot my password, how do I reset it?",
        "hi",
        "What is the capital of France?",
        "Translate 'good morning' to Spanish",
        "Fix the spelling: 'I recieve teh mesage'",
        "Was ist die Hauptstadt von Italien?",
    ],
)
def test_everyday_requests_need_the_cheapest_tier(classifier, prompt):
    assert classifier.predict_one(prompt).required_tier == "economy"


@pytest.mark.parametrize(
    "prompt",
    [
        "Prove that every bounded sequence in R^n has a convergent subsequence.",
        "Design a multi-region payment ledger that survives a region failure without double charging, "
        "and justify the consistency model.",
        "Derive the expected number of draws to collect all coupons when two of them are ten times rarer.",
        "Our lock-free queue loses an item about once a day under load. Why?",
        "证明:任意有限群中,若每个元素的阶为2,则该群是阿贝尔群,并推广。",
    ],
)
def test_hard_requests_never_go_to_the_cheapest_tier(classifier, prompt):
    assert classifier.predict_one(prompt).required_tier != "economy"


def test_several_threads_get_what_one_gets(classifier):
    prompts = [f"Explain step {place} of the plan" for place in range(64)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(classifier.predict_one, prompts))
    for one, other in zip(together, classifier.predict(prompts), strict=True):
        assert_same(one, other)


def test_a_wrong_shape_is_the_callers_error(classifier):
    with pytest.raises(ReadingError, match="messages"):
        classifier.predict(["fine", {"messages": []}])
