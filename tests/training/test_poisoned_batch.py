"""One caller sends thousands of thumbs down on economy answers: what a whole retraining makes of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from classifier.artifact import REPORT
from classifier.tiers import required_tier
from tests.benchmarks.prose import Prose
from tests.logs import graded, write_export
from tests.training.retraining import TIERS, config_in, contents, run_command
from training.retrain_cli import FAILED_THE_GATE

BATCH = 5_000

# What the batch may add to what the same run makes of the corpus without it. Without the cap it adds 0.14 of
# a tier and 0.10 of over-routing, with it 0.08 and 0.06, which the gate refuses all the same.
MOST_MOVED, MOST_OVER_ROUTED = 0.11, 0.08


def poison(row):
    prose, said = Prose(seed=8), {"caller": "mallory", "propensity": 1 / 3}
    for number in range(BATCH):
        yield graded(row, 10_000 + number, f"{prose.prompt(8)} {number}", "economy", False, **said)


def told(folder):
    """Return what the report says of a retraining, and the tier of each row of the corpus that judges.

    The artifact that said so had not seen these rows: those that it has seen it knows by heart.
    """
    report = json.loads((folder / REPORT).read_text())
    rows = sorted(report["held_out"].items())
    tiers = [TIERS.index(required_tier(tuple(one), TIERS, report["threshold"])) for _, one in rows]
    return report["retrain"], np.array(tiers)


def test_a_poisoned_batch_is_capped_and_told_and_what_it_still_moves_is_refused(made, row, recipe, tmp_path):
    first, before, honest = made
    batch = write_export(tmp_path / "batch.parquet", poison(row))
    config = replace(config_in(tmp_path, recipe), exports=(*first.exports, batch))
    done = run_command(config)
    verdict, *others = config.models.glob("*.verdict.json")
    assert not others and done.exit_code == FAILED_THE_GATE, done.output

    without, before_batch = told(honest.folder)
    report, tiers = told(config.models / verdict.name.removesuffix(".verdict.json"))
    worst, *rest = report["feedback"]["keys"]
    assert (worst["key"], worst["capped"]) == ("mallory", True)
    # the others judge
    assert 0.75 * BATCH < worst["rows"] < 0.85 * BATCH
    assert f"capped: mallory, {worst['rows']:,} rows" in done.output
    assert worst["share"] == pytest.approx(0.2, abs=1e-3)
    assert not any(one["capped"] for one in rest)
    # others count for as much as they did
    assert {one["key"]: one["kept"] for one in rest} == {
        one["key"]: pytest.approx(one["kept"]) for one in without["feedback"]["keys"]
    }

    assert abs(np.mean(tiers - before_batch)) <= MOST_MOVED
    over, over_before = (one["judging_corpus"]["over_routed"]["candidate"] for one in (report, without))
    assert over <= over_before + MOST_OVER_ROUTED
    after = contents(config.models)
    assert {name: after[name] for name in before} == before
