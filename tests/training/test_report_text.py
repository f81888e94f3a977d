from __future__ import annotations

import re

import numpy as np
import pytest

from training.attacks import moved, success_rates
from training.baselines import baselines, compare, routing
from training.report_text import as_markdown, as_terminal
from training.robustness import survival

TIERS = ("economy", "standard", "premium")
NEEDED = np.tile([0, 1, 2], 20)


@pytest.fixture(scope="module")
def report():
    perfect = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])[NEEDED]
    others = baselines(NEEDED, np.ones(60), ["any"] * 60, np.arange(60) // 3 % 4, TIERS, 0.5)
    return {
        **compare(NEEDED, routing(perfect, TIERS, 0.5), others, TIERS, rounds=50),
        "robustness": {"typos": survival([True], rounds=20)},
        "attacks": success_rates(moved(lambda _: "economy", ["hello"], TIERS), rounds=20),
    }


def test_the_classifier_stands_beside_every_baseline_in_one_table(report):
    lines = as_terminal(report).splitlines()
    names = [line.split("  ")[0] for line in lines[3:9]]
    assert names == [
        "classifier", "random", "prompt length", "task table", "always economy", "always premium",
    ]  # fmt: skip
    assert re.search(r"^classifier +100.0%", "\n".join(lines), re.MULTILINE)


def test_columns_are_aligned(report):
    table = as_terminal(report).split("\n\n")[1].splitlines()
    ends = {line.rfind("%") for line in table[1:]}
    assert len(ends) == 1


def test_better_stands_only_beside_an_interval_that_excludes_zero(report):
    for line in as_terminal(report).splitlines():
        if line.endswith(("better", "worse")):
            low, high = re.findall(r"\[([-+\d.]+), ([-+\d.]+)\]", line)[-1]
            assert float(low) * float(high) > 0


def test_the_card_has_the_same_figures_in_tables_of_even_width(report):
    for table in as_markdown(report).split("\n\n"):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1
    assert "| typos | 1 | 1.000 [1.000, 1.000] |" in as_markdown(report)


def test_what_was_not_measured_is_not_shown(report):
    bare = {name: found for name, found in report.items() if name not in ("robustness", "attacks")}
    assert "Attacks" not in as_terminal(bare)
    assert "keep their tier" not in as_markdown(bare)
