from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.artifact import TOKENIZER
from classifier.encoder import (
    CONTEXT_TOKENS,
    EDGE_TOKENS,
    MAX_TRANSFORMER_TOKENS,
    MIDDLE_TOKENS,
    load_encoder,
)
from classifier.reading import Reading

any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
readings = st.builds(Reading, request=any_text, context=any_text)

KINDS = ("static", "transformer")
IDS = {"static": "token_ids", "transformer": "input_ids"}


@pytest.fixture(scope="module")
def encoders(artifact):
    return {kind: load_encoder(kind, artifact / TOKENIZER) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(found=st.lists(readings, max_size=5))
def test_a_feed_does_not_depend_on_its_neighbours(encoders, kind, found):
    together = encoders[kind].feeds(found)
    alone = [encoders[kind].feeds([reading])[0] for reading in found]
    assert len(together) == len(found)
    for one, other in zip(together, alone, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "\x00", "   ", "\u200b"])
def test_a_request_without_words_still_feeds_a_token(encoders, kind, text):
    feed = encoders[kind].feeds([Reading(request=text)])[0]
    assert feed[IDS[kind]].size >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_ids_have_the_type_that_the_graph_takes(encoders, kind):
    feed = encoders[kind].feeds([Reading(request="hello", context="there")])[0]
    assert feed[IDS[kind]].dtype == np.int64


def test_all_of_the_context_weighs_no_more_than_a_few_words(encoders):
    feed = encoders["static"].feeds([Reading(request="and in winter", context="snow and ice " * 300)])[0]
    assert feed["token_weights"][:3].tolist() == [1.0, 1.0, 1.0]
    assert feed["token_weights"][3:].sum() == pytest.approx(CONTEXT_TOKENS)


def test_the_middle_of_a_long_request_does_not_drown_its_ends(encoders):
    weights = encoders["static"].feeds([Reading(request="word " * 500)])[0]["token_weights"]
    assert weights[:EDGE_TOKENS].tolist() == weights[-EDGE_TOKENS:].tolist() == [1.0] * EDGE_TOKENS
    assert weights[EDGE_TOKENS:-EDGE_TOKENS].sum() == pytest.approx(MIDDLE_TOKENS, rel=1e-4)


def test_a_transformer_reads_both_ends_of_what_does_not_fit(encoders):
    request = "alpha " + "middle " * 2_000 + "omega"
    long = encoders["transformer"].feeds([Reading(request=request, context="before " * 500)])[0]["input_ids"][
        0
    ]
    alpha, omega = (
        encoders["transformer"].feeds([Reading(request=end)])[0]["input_ids"][0] for end in ("alpha", "omega")
    )
    assert len(long) == MAX_TRANSFORMER_TOKENS
    assert set(alpha[1:-1]) | set(omega[1:-1]) <= set(long)
    assert (long[0], long[-1]) == (alpha[0], alpha[-1])


def test_an_unknown_kind_is_refused_with_the_known_ones(artifact):
    with pytest.raises(ValueError, match=r"'magic'.*static, transformer"):
        load_encoder("magic", artifact / TOKENIZER)
