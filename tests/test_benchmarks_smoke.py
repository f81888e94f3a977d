"""The benchmarks still run: their cheapest parts, for a moment, without looking at the clock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.benchmarks import classify, decide, service, soak, tools
from tests.benchmarks.children import stub
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.prose import Prose


def test_classification_yields_both_quantiles_for_every_length(tmp_path: Path) -> None:
    plan = Plan(repeats=1, seconds=0.01, is_quick=True, build=tmp_path)
    found = [figure for figure in classify.measure(plan) if isinstance(figure, Figure)]
    assert [figure.name for figure in found[:2]] == ["20 words, p50", "20 words, p99"]
    assert len(found) == 9
    assert all(figure.values[0] > 0 and figure.ratios for figure in found)


def test_decisions_are_timed_over_each_length_of_catalog(tmp_path: Path) -> None:
    found = list(decide.measure(Plan(repeats=1, seconds=0.05, is_quick=True, build=tmp_path)))
    assert [figure.name for figure in found[::4]] == [
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


def test_a_figure_above_its_bar_is_marked_and_one_below_is_not() -> None:
    slow = Figure("start", "import", "s", (0.5, 0.7, 0.9), "floor", (0.1, 0.1, 0.1), at_most=0.6)
    assert slow.verdict.endswith("MISSED")
    assert slow.ratios == pytest.approx((5, 7, 9))
    assert Figure("start", "import", "s", (0.5,), at_most=0.6).verdict.endswith("ok")


def test_a_soak_finds_that_nothing_hangs_and_that_every_request_is_in_the_log(capsys) -> None:
    assert soak.run(0.04, streams=20) == 0, capsys.readouterr().out
