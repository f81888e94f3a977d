"""A whole run with outcome data: what the report, the manifest and the card say of it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.artifact import MANIFEST, sha256
from training.documents import CARD, REPORT_TEXT
from training.pipeline import train
from training.sources import SOURCES
from training.transfer import CORPUS

MODELS = {
    "nine_models": ("mistral-7b-instruct-v0.3", "gemma-2-9b-it", "llama-3.1-nemotron-51b-instruct"),
    "routerbench": ("mistralai/mixtral-8x7b-chat", "gpt-3.5-turbo-1106", "gpt-4-1106-preview"),
}
PAIR = "1 economy and 1 premium models"


def lines(name: str) -> list[str]:
    """Two tasks of thirty rows: the weak model answers those that do not speak of a proof."""
    draw = np.random.default_rng(len(name))
    weak, middle, strong = MODELS[name]
    rows = []
    for number in range(60):
        hard = number % 3 == 0 or draw.random() < 0.1
        asked = "Give a proof that the sum number" if hard else "Please name the river number"
        scores = {weak: 1.0 - hard, middle: 1.0, strong: 1.0}
        task = ("rivers", "sums")[number % 2]
        rows.append({"id": f"{name}-{number}", "task": task, "prompt": f"{asked} {number}", "scores": scores})
    return [json.dumps(row) + "\n" for row in rows]


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    known = dict(SOURCES)
    for name in MODELS:
        file = folder / SOURCES[name].file
        file.write_bytes(gzip.compress("".join(lines(name)).encode()))
        known[name] = replace(SOURCES[name], sha256=sha256(file))
    tiers = {
        name: {"economy": (weak,), "standard": (middle,), "premium": (strong,)}
        for name, (weak, middle, strong) in MODELS.items()
    }
    settings = {
        "folds": 2,
        "inner_folds": 2,
        "trees": 0,
        "resamples": 30,
        "dresses": 0,
        "regularisation": (4.0,),
    }
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.sources.SOURCES", known)
        patched.setattr("training.outcomes.SOURCES", known)
        return train(
            replace(
                config,
                **settings,
                version="outcomes",
                output=tmp_path_factory.mktemp("models"),
                sources=("nine_models",),
                measured=("routerbench",),
                sources_from=folder,
                outcome_tiers=tiers,
            )
        )


def test_each_task_and_each_source_was_left_out_in_turn(trained):
    report = trained.report
    assert [name.partition(",")[0] for name in report["left_out"]] == [name for name in MODELS for _ in "12"]
    for areas in report["left_out"].values():
        assert list(areas) == ["rivers", "sums", "all"]
        for task in ("rivers", "sums"):
            for ranking in ("left_out", "in_domain", "source_out", "corpus", "length"):
                assert 0.0 <= areas[task][ranking] <= 1.0
            assert areas[task]["left_out"] > 0.6
            assert areas[task]["intervals"]["left_out"]["low"] <= areas[task]["left_out"]
    assert list(report["source_out"])[-1] == f"{CORPUS}, as labelled"
    # what the other source teaches of proofs and rivers holds here too
    assert report["source_out"][f"nine_models, {PAIR}"]["source_out"] > 0.6


def test_the_text_shows_them_beside_the_baselines(trained):
    text = (trained.folder / REPORT_TEXT).read_text()
    assert "Area recovered on each source by what was fitted without it" in text
    head = next(line for line in text.splitlines() if line.startswith("part") and "task left out" in line)
    for column in ("in domain", "source left out", "length", "task table", "random, always one"):
        assert column in head
    assert "task left out against length" in head


def test_the_manifest_and_the_card_name_the_files_that_trained_it_and_no_other(trained):
    manifest = json.loads((trained.folder / MANIFEST).read_text())
    facts = {one["name"]: one for one in manifest["training"]["data"] if "licence" in one}
    card = (trained.folder / CARD).read_text()
    assert list(facts) == ["nine_models"]
    assert facts["nine_models"]["rows"] == 60
    assert f"| nine_models | MIT | 60 | `{facts['nine_models']['sha256']}` |" in card
    assert "--source nine_models --measure routerbench --from FOLDER" in trained.report["created_by"]
