"""The counts hold against the real vocabularies, each family by itself."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.routing import tokens
from serving.routing.token_rates import ASSUMED, RATES, UNKNOWN_FAMILY
from serving.routing.tokens import FAMILIES, count_tokens, stated_error
from tests.benchmarks.token_bounds import VOCABULARY, odd_texts

splintr = pytest.importorskip("splintr", reason="splintr-rs carries the vocabularies")

ROOT = Path(__file__).parents[3]


def prompts():
    for path in sorted((ROOT / "training" / "corpus").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if isinstance(row.get("prompt"), str):
                yield row["prompt"]


def texts():
    yield from list(prompts())[::5]
    for path in sorted((ROOT / "serving").rglob("*.py")):
        yield path.read_text(encoding="utf-8")[:1_500]
    source = random.Random(5)
    for _ in range(20):
        yield base64.b64encode(source.randbytes(600)).decode()
        yield source.randbytes(600).hex()


@pytest.mark.parametrize("family", VOCABULARY)
def test_the_estimate_is_within_its_stated_error_and_the_bound_holds(family):
    vocabulary = splintr.Tokenizer.from_pretrained(VOCABULARY[family])
    counted = [(len(vocabulary.encode_ordinary(text)), count_tokens(text)[family]) for text in texts()]
    long_enough = [(real, guess) for real, guess in counted if real >= 20]
    off = sorted(abs(guess.expected - real) / real for real, guess in long_enough)
    assert len(off) > 300
    assert off[len(off) // 2] <= 0.08
    assert off[int(len(off) * 0.9)] <= stated_error(family) + 0.05
    assert [(real, guess) for real, guess in long_enough if real > guess.at_most] == []


@pytest.mark.parametrize("family", VOCABULARY)
def test_marks_numbers_and_signs_that_nobody_writes_stay_within_the_bound_too(family):
    vocabulary = splintr.Tokenizer.from_pretrained(VOCABULARY[family])
    # another seed than the bound was fitted with
    for text in odd_texts(seed=11):
        bound = count_tokens(text)[family].at_most
        assert len(vocabulary.encode_ordinary(text)) <= bound * 1.1 + 2, repr(text[:60])


def test_every_measured_family_is_held_against_its_vocabulary():
    assert set(VOCABULARY) == set(RATES)
    assert set(FAMILIES) == set(RATES) | set(ASSUMED)


@given(st.text())
def test_any_text_is_counted_and_nothing_counts_more_than_the_unknown(text):
    found = count_tokens(text)
    longest = len(text.encode("utf-8", "replace"))
    most = found[UNKNOWN_FAMILY]
    assert all(count.expected <= most.expected and count.at_most <= most.at_most for count in found.values())
    assert all(0 <= count.expected <= longest and 0 <= count.at_most <= longest for count in found.values())


@given(st.text(st.sampled_from("aB1 \n.,é漢🙂") | st.characters(exclude_categories=("Cs",))))
def test_a_long_text_is_counted_as_a_short_one_is(text):
    data = text.encode()
    assert tokens._statistics_of_many(data) == tokens._statistics(data)


def test_one_text_is_not_the_same_for_every_family():
    counts = count_tokens("日本語の文章を数える。" * 20)
    assert len({counts[family].expected for family in VOCABULARY}) > 3
