"""The second labels: every row has one, and every difference is resolved in writing."""

from __future__ import annotations

import json

import pytest

from classifier.tiers import DEFAULT_TIERS
from training.agreement import LABELS, RESOLVED, CorpusError, agreement
from training.config import TrainingConfig
from training.dataset import SECOND, load_corpus

CORPUS = TrainingConfig().corpus


def lines(name):
    return [json.loads(line) for line in (CORPUS / SECOND / name).read_text().splitlines()]


def test_every_row_of_the_corpus_is_labelled_twice():
    rows = load_corpus(CORPUS, DEFAULT_TIERS).rows
    assert [row.id for row in rows if len(row.labels) != 2] == []
    assert len(lines(LABELS)) == len(rows)


def test_exactly_the_differences_are_resolved_in_writing():
    rows = load_corpus(CORPUS, DEFAULT_TIERS).rows
    resolved = {row["id"]: row for row in lines(RESOLVED)}
    assert resolved.keys() == {row.id for row in rows if len(set(row.labels)) == 2}
    assert all(row["because"] for row in resolved.values())


def test_the_two_labels_agree_well_beyond_chance():
    rows = load_corpus(CORPUS, DEFAULT_TIERS).rows
    found = agreement([row.labels for row in rows], DEFAULT_TIERS)
    assert found["kappa"] > 0.8
    assert min(found["kappa_by_tier"].values()) > 0.7


def write(folder, first, second, resolved):
    row = {"id": "a", "prompt": "Hello?", "tier": first, "domain": "d", "kind": "k", "language": "en"}
    (folder / "a.jsonl").write_text(json.dumps(row) + "\n")
    (folder / SECOND).mkdir()
    (folder / SECOND / LABELS).write_text(json.dumps({"id": "a", "tier": second}) + "\n")
    (folder / SECOND / RESOLVED).write_text("".join(json.dumps(one) + "\n" for one in resolved))


def test_the_resolved_tier_is_the_one_that_holds(tmp_path):
    write(tmp_path, "economy", "standard", [{"id": "a", "tier": "standard", "because": "two steps"}])
    (row,) = load_corpus(tmp_path, DEFAULT_TIERS).rows
    assert (row.tier, row.labels) == ("standard", ("economy", "standard"))


def test_a_difference_that_nobody_resolved_stops_the_run(tmp_path):
    write(tmp_path, "economy", "standard", [])
    with pytest.raises(CorpusError, match=r"two labels of 'a' differ .economy, standard."):
        load_corpus(tmp_path, DEFAULT_TIERS)


@pytest.mark.parametrize("second", ["cheap", 3])
def test_a_second_label_that_is_no_tier_is_refused_by_file_and_line(tmp_path, second):
    write(tmp_path, "economy", second, [])
    with pytest.raises(CorpusError, match=r"labels\.jsonl, line 1"):
        load_corpus(tmp_path, DEFAULT_TIERS)
