"""The benchmarks still run: their cheapest parts, for a moment, without looking at the clock."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import classify, decide, policies, service, soak, tools
from tests.benchmarks.children import stub
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.prose import Prose
from training.sources import SOURCES, Outcome, read_folder


def test_classification_yields_both_quantiles_for_every_length(tmp_path: Path) -> None:
    plan = Plan(repeats=1, seconds=0.01, is_quick=True, build=tmp_path)
    found = [figure for figure in classify.measure(plan) if isinstance(figure, Figure)]
    assert [figure.name for figure in found[:2]] == ["20 words, p50", "20 words, p99"]
    assert len(found) == 9
    assert all(figure.values[0] > 0 and figure.ratios for figure in found)


def test_decisions_are_timed_over_each_length_of_catalog(tmp_path: Path) -> None:
    found = list(decide.measure(Plan(repeats=1, seconds=0.05, is_quick=True, build=tmp_path)))
    assert [figure.name for figure in found[::6]] == [
        f"{n} deployments, plain, p50" for n in ("10", "100", "1,000")
    ]
    assert all(0 < figure.beside_values[0] < figure.values[0] for figure in found[::2])


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("stream", [False, True])
def test_the_load_client_gets_every_answer_of_the_stub(tmp_path: Path, stream: bool) -> None:
    load, upstream = tools.build("load", tmp_path), tools.build("stub", tmp_path)
    bodies = service.chat_bodies(tmp_path, stream=stream)
    with stub(upstream, 32, tmp_path / "log") as port:
        seen = tools.load(load, port, "/", bodies, connections=4, seconds=10, count=50, warmup=0)
    assert seen.done == 50


def test_a_prompt_has_the_length_that_was_asked_for() -> None:
    assert [len(Prose().prompt(words).split()) for words in (1, 20, 2_000)] == [1, 20, 2_000]


def way(name: str, usd: float, quality: list[float]) -> policies.Way:
    return policies.Way(name, np.full(len(quality), usd), np.array(quality), "")


def test_a_rule_at_equal_cost_is_the_best_mixture_that_costs_as_much() -> None:
    low, poor, high = (
        way("always a", 1, [0, 0, 1, 1]),
        way("always b", 1, [0] * 4),
        way("always c", 3, [1] * 4),
    )
    ours = way("ours", 2, [1, 1, 1, 0])
    drawn = policies.best_mixture("random", [low, poor, high], ours, None)
    assert (drawn.usd.mean(), drawn.quality.mean()) == (2, 0.75)
    # the two longest are just those that need the dearer one
    long = policies.best_mixture("length", [low, poor, high], ours, np.array([9.0, 8.0, 2.0, 1.0]))
    assert (long.usd.mean(), long.quality.mean()) == (2, 1.0)


def test_graded_prompts_are_compared_over_every_catalog() -> None:
    draw = random.Random(1)
    rows = [
        Outcome(f"made-up-{place}", policies.NAME, f"task {place % 3}", Prose().prompt(draw.randrange(3, 60)),
                {model: float(draw.random() < 0.5) for model in policies.PRICES})
        for place in range(40)
    ]  # fmt: skip
    text = "\n".join(policies.report(rows))
    assert text.count("default policy  ") == text.count("random, equal cost  ") == 3
    assert text.count("resampling whole tasks") == 6
    assert "which has seen none of them" in text


DATA = os.environ.get("WEIGHBRIDGE_DATA", "")


@pytest.mark.skipif(not DATA, reason="WEIGHBRIDGE_DATA names no folder with nine_models")
def test_the_graded_prompts_themselves_can_be_read(capsys) -> None:
    assert len(list(read_folder(SOURCES[policies.NAME], Path(DATA)))) == 5_758


def test_a_figure_above_its_bar_is_marked_and_one_below_is_not() -> None:
    slow = Figure("start", "import", "s", (0.5, 0.7, 0.9), "floor", (0.1, 0.1, 0.1), at_most=0.6)
    assert slow.verdict.endswith("MISSED")
    assert slow.ratios == pytest.approx((5, 7, 9))
    assert Figure("start", "import", "s", (0.5,), at_most=0.6).verdict.endswith("ok")


def test_a_soak_finds_that_nothing_hangs_and_that_every_request_is_in_the_log(capsys) -> None:
    assert soak.run(0.04, streams=20) == 0, capsys.readouterr().out
