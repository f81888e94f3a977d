from __future__ import annotations

import json
from collections import Counter

import pytest

from training.config import TrainingConfig
from training.dataset import CorpusError, load_corpus, split

TIERS = ("economy", "standard", "premium")
ROW = {"id": "a", "prompt": "hi", "tier": "economy", "domain": "smalltalk", "kind": "chat", "language": "en"}


def write(folder, *rows):
    folder.joinpath("rows.jsonl").write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    )
    return folder


def test_the_bundled_corpus_is_large_and_has_every_tier_and_language():
    corpus = load_corpus(TrainingConfig().corpus, TIERS)
    assert len(corpus.rows) >= 400
    assert min(Counter(row.tier for row in corpus.rows).values()) > len(corpus.rows) / 5
    assert len({row.language for row in corpus.rows}) >= 10


def test_each_file_is_named_with_its_hash_and_rows(tmp_path):
    corpus = load_corpus(write(tmp_path, ROW, "", ROW | {"id": "b"}), TIERS)
    assert [row.id for row in corpus.rows] == ["a", "b"]
    assert corpus.files[0]["name"] == "rows.jsonl" and corpus.files[0]["rows"] == 2
    assert len(corpus.files[0]["sha256"]) == 64


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "rows.jsonl, line 2: Expecting property name"),
        ("[]", "line 2: is not a JSON object"),
        (ROW | {"id": "b", "level": 1}, "line 2: unknown field 'level'"),
        (ROW | {"id": ""}, "line 2: needs 'id'"),
        (
            ROW | {"id": "b", "tier": "huge"},
            "line 2: tier 'huge' is unknown. Known: economy, standard, premium",
        ),
        ({**ROW, "id": "b", "prompt": None}, "line 2: messages: give either"),
        (ROW | {"id": "b", "messages": []}, "line 2: messages: give either"),
        (ROW, "The id 'a' stands twice"),
    ],
)
def test_a_bad_row_is_refused_with_its_line(tmp_path, row, said):
    with pytest.raises(CorpusError, match=said):
        load_corpus(write(tmp_path, ROW, row), TIERS)


def test_a_folder_without_rows_says_which_option_names_another(tmp_path):
    with pytest.raises(CorpusError, match="--corpus"):
        load_corpus(tmp_path, TIERS)


def test_a_split_keeps_conversations_whole_and_tiers_even(tmp_path):
    chats = [
        ROW
        | {"id": f"{chat}-{turn}", "tier": TIERS[(chat + turn) % 3], "prompt": f"Tell me about  TOPIC {chat}"}
        for chat in range(30)
        for turn in range(2)
    ]
    rows = load_corpus(write(tmp_path, *chats), TIERS).rows
    folds = split(rows, 3, seed=1)
    fold_of = {row.id: fold for row, fold in zip(rows, folds.tolist(), strict=True)}
    assert all(fold_of[f"{chat}-0"] == fold_of[f"{chat}-1"] for chat in range(30))
    assert set(Counter(folds.tolist()).values()) <= set(range(16, 25))


def test_two_continuations_of_one_conversation_stay_together(tmp_path):
    opening = {"role": "user", "content": "Plan a wedding."}
    reply = {"role": "assistant", "content": "Gladly."}
    rest = {key: value for key, value in ROW.items() if key != "prompt"}
    first = rest | {"messages": [opening, reply, {"role": "user", "content": "thanks"}]}
    second = rest | {"id": "b", "messages": [opening, reply, {"role": "user", "content": "and the cake?"}]}
    rows = load_corpus(write(tmp_path, first, second, ROW | {"id": "c"}), TIERS).rows
    assert rows[0].group == rows[1].group != rows[2].group


def test_too_few_rows_for_the_folds_are_an_error(tmp_path):
    with pytest.raises(CorpusError, match="1 rows are too few for 5 folds"):
        split(load_corpus(write(tmp_path, ROW), TIERS).rows, 5, seed=1)
