"""The hand-written corpus is what its rubric says: valid, mixed, and never the same prompt twice."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from classifier.tiers import DEFAULT_TIERS
from training.config import TrainingConfig
from training.dataset import load_corpus
from training.embedding import load_source, source_folder


@pytest.fixture(scope="module")
def rows():
    return load_corpus(TrainingConfig().corpus, DEFAULT_TIERS).rows


def test_there_are_enough_rows_and_none_of_the_tiers_is_rare(rows):
    tiers = Counter(row.tier for row in rows)
    assert len(rows) >= 400
    assert min(tiers[tier] for tier in DEFAULT_TIERS) >= len(rows) / 5


def test_many_fields_and_languages_take_part(rows):
    assert len({row.domain for row in rows}) >= 25
    assert len({row.language for row in rows} - {"en"}) >= 8


def test_neither_language_nor_a_large_field_gives_the_tier_away(rows):
    for label in ("language", "domain"):
        seen = defaultdict(Counter)
        for row in rows:
            seen[getattr(row, label)][row.tier] += 1
        for name, tiers in seen.items():
            total = sum(tiers.values())
            if total >= 15:
                assert max(tiers.values()) / total <= 0.9, f"{label} {name}: {dict(tiers)}"


# Scripts that the English model reads as unknown tokens, so that all of their texts look alike to it.
UNREAD = {"ar", "hi", "ja", "ko", "ru", "zh"}


def text_of(row):
    return f"{row.reading.context}\n{row.reading.request}".strip()


def pairs_above(alike, rows):
    return [(rows[one].id, rows[other].id) for one, other in np.argwhere(np.triu(alike, 1) > 0.9)]


def test_no_prompt_says_what_another_says(rows):
    read = [row for row in rows if row.language not in UNREAD]
    vectors = load_source(source_folder(None)).encode(
        [text_of(row) for row in read], batch_size=64, normalize_embeddings=True, show_progress_bar=False
    )
    pairs = pairs_above(vectors @ vectors.T, read)
    assert not pairs, f"near-duplicates (cosine above 0.9): {pairs}"


def test_no_prompt_is_spelled_like_another(rows):
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    vectors = letters.fit_transform([text_of(row) for row in rows])
    pairs = pairs_above((vectors @ vectors.T).toarray(), rows)
    assert not pairs, f"near-duplicates (cosine of letter groups above 0.9): {pairs}"


def test_no_log_in_a_prompt_names_the_home_of_whoever_wrote_it():
    files = sorted(TrainingConfig().corpus.rglob("*.jsonl"))
    assert files
    assert not [file.name for file in files if "/root/" in file.read_text(encoding="utf-8")]
