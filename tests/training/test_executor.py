"""One contract, three places: this process, processes beside it, and a real Ray with two workers."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from itertools import count, islice

import numpy as np
import pytest

from classifier.artifact import sha256
from classifier.reading import Reading
from tests.logs import graded, template, write_export
from tests.training.tasks import dies_once, refuse, threads, waited
from training.embedded import embed_readings, packed
from training.embedding import make_encoder
from training.executor import ExecutorError, LocalExecutor, check_libraries, libraries
from training.feedback import FeedbackConfig
from training.feedback import graded as labels_of
from training.feedback_rows import load_rows
from training.fit import Examples, fit_heads, sufficiency
from training.labeling import Labels
from training.pipeline import train
from training.ray_executor import RayExecutor


def digests(folder):
    return {file.name: sha256(file) for file in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def small(config, rows, tmp_path_factory):
    """A run of seconds."""
    corpus = tmp_path_factory.mktemp("small")
    corpus.joinpath("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[::4]))
    return replace(config, corpus=corpus, output=corpus / "here", folds=2, inner_folds=2, trees=3, dresses=0)


@pytest.fixture(scope="module")
def trained_here(small):
    return train(small)


@pytest.mark.parametrize("there", [{"executor": "ray", "workers": 2}, {"workers": 2}])
def test_a_run_elsewhere_writes_the_same_bytes(trained_here, small, tmp_path, there):
    """On a Ray of its own, with two workers that know nothing but what they are sent; in two processes."""
    found = train(replace(small, output=tmp_path, **there))
    assert digests(found.folder) == digests(trained_here.folder)
    assert found.report == trained_here.report


def test_a_cluster_that_is_not_there_is_told():
    with pytest.raises(ExecutorError, match=r"No Ray at 127\.0\.0\.1:9 .*--executor local"):
        RayExecutor("127.0.0.1:9", 1)


@pytest.fixture(scope="module")
def ray():
    executor = RayExecutor(None, 2)
    yield executor
    executor.close()


@pytest.fixture(params=["here", "beside", "ray"])
def executor(request):
    if request.param == "ray":
        return request.getfixturevalue("ray")
    return LocalExecutor(1 if request.param == "here" else 2)


def test_results_come_in_the_order_of_the_items(executor):
    found = list(executor.map(waited, "shared", [0.3, 0.0, 0.2, 0.0]))
    assert [one[:2] for one in found] == [("shared", 0.3), ("shared", 0.0), ("shared", 0.2), ("shared", 0.0)]


def test_what_a_task_raises_is_raised_here(executor):
    with pytest.raises(LookupError, match=r"^nothing to learn from 3$"):
        list(executor.map(refuse, None, [3]))


def test_algebra_runs_in_one_thread_everywhere(executor):
    assert list(executor.map(threads, np.eye(64), range(2))) == [{1}, {1}]


def test_readings_come_to_the_same_numbers_in_pieces_and_whole(executor, config, rows):
    encoder = packed(make_encoder(config))
    readings = [Reading(request=str(row.get("prompt", "hi"))) for row in rows[:60]]
    whole = embed_readings(LocalExecutor(1), encoder, readings)
    found = embed_readings(executor, encoder, readings, piece_rows=25)
    assert found.inputs.tobytes() == whole.inputs.tobytes()
    assert [feed["token_ids"].tolist() for feed in found.feeds] == [
        feed["token_ids"].tolist() for feed in whole.feeds
    ]


def test_an_export_is_read_where_it_is_worked_on_to_the_same_rows(executor, config, rows, tmp_path):
    row = template(tmp_path)
    prompts = [str(one.get("prompt", "hi")) for one in rows[:40]]
    said = [graded(row, place, prompt, "standard", place % 3 == 0) for place, prompt in enumerate(prompts)]
    lines = [write_export(tmp_path / "all.jsonl", said)]
    parquet = [write_export(tmp_path / f"{n}.parquet", said[n * 15 : n * 15 + 15]) for n in range(3)]
    labelled = labels_of(lines, config.tiers, FeedbackConfig())
    assert labels_of(parquet, config.tiers, FeedbackConfig()).places.tolist() == labelled.places.tolist()
    chosen = np.arange(len(labelled.places)) % 4 > 0
    encoder = packed(make_encoder(config))
    here = load_rows(lines, labelled, chosen, encoder, True, LocalExecutor(1))
    found = load_rows(parquet, labelled, chosen, encoder, True, executor)
    assert found.readings == here.readings and len(found.readings) == int(chosen.sum())
    assert found.inputs.tobytes() == here.inputs.tobytes()
    assert (found.tokens != here.tokens).nnz == 0
    assert found.unknown.tolist() == here.unknown.tolist()


def test_each_question_has_the_same_head_wherever_it_is_fitted(executor, config):
    draw = np.random.default_rng(3)
    inputs = draw.normal(size=(120, 6)).astype(np.float32)
    needed = inputs[:, 0] + draw.normal(size=120)
    targets = np.stack([needed < 0.0, needed < 0.7], axis=1).astype(float)
    families = np.zeros(120, dtype=np.int64)
    examples = Examples(inputs, Labels(targets, np.ones(120)), np.arange(120) % 3, families)
    here, there = fit_heads(examples, config, 4), fit_heads(examples, config, 4, executor)
    assert sufficiency(there, inputs).tobytes() == sufficiency(here, inputs).tobytes()
    assert [head.losses for head in there] == [head.losses for head in here]


def test_ray_works_in_two_processes_that_are_not_this_one(ray):
    found = {pid for _, _, pid in ray.map(waited, None, [0.3] * 4)}
    assert len(found) == 2 and os.getpid() not in found


def test_ray_takes_no_more_items_than_its_workers_can_soon_do(ray):
    taken = []
    items = (taken.append(one) or 0.0 for one in count())
    assert len(list(islice(ray.map(waited, None, items), 3))) == 3
    assert len(taken) < 10


def test_the_work_of_a_worker_that_died_is_done_again(ray, tmp_path):
    assert list(ray.map(dies_once, tmp_path / "died", [1, 2, 3])) == [1, 2, 3]


def test_a_worker_with_other_libraries_is_refused():
    here = libraries()
    check_libraries(here, dict(here), "node-1")
    with pytest.raises(ExecutorError, match=r"node-1 has numpy 0\.1"):
        check_libraries(here, here | {"numpy": "0.1"}, "node-1")
