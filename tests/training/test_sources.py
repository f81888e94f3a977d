from __future__ import annotations

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from classifier.artifact import sha256
from training.config import ConfigError, TrainingConfig, load_config
from training.outcomes import labels_from_scores, load_outcomes, without_form
from training.sources import SOURCES, Outcome, SourceError, read_folder, source_named
from weighbridge import main

SHARED = Path(os.environ.get("WEIGHBRIDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
TIERS = {"economy": ["small"], "standard": ["middle"], "premium": ["large"]}


def written(monkeypatch, folder: Path, lines: list[str], name: str = "routerbench"):
    """Write a source's file, and make its checksum the known one."""
    file = folder / SOURCES[name].file
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    source = replace(SOURCES[name], sha256=sha256(file))
    monkeypatch.setattr("training.sources.SOURCES", known := {**SOURCES, name: source})
    monkeypatch.setattr("training.outcomes.SOURCES", known)
    return source


def row(number: int, prompt: str = "Why is the sky blue at noon?", **scores: float | None) -> str:
    return json.dumps({"id": str(number), "task": "quiz", "prompt": prompt, "scores": scores})


def test_a_folder_gives_its_rows_without_the_scores_that_are_missing(monkeypatch, tmp_path):
    source = written(monkeypatch, tmp_path, [row(1, small=0.5, large=None, middle=float("nan"))])
    assert [one.scores for one in read_folder(source, tmp_path)] == [{"small": 0.5}]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"id": 1}', '{"id": 1, "task": "t", "prompt": "p", "scores": 3}']
)
def test_a_damaged_line_is_named(monkeypatch, tmp_path, line):
    source = written(monkeypatch, tmp_path, [row(1), line])
    with pytest.raises(SourceError, match=r"damaged near line 2.*Get it again from"):
        list(read_folder(source, tmp_path))


def test_a_truncated_file_is_named(monkeypatch, tmp_path):
    source = written(monkeypatch, tmp_path, [row(number) for number in range(50)])
    file = tmp_path / source.file
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(SourceError, match="is damaged"):
        list(read_folder(replace(source, sha256=sha256(file)), tmp_path))


def test_a_file_of_another_checksum_and_a_missing_one_are_refused(tmp_path):
    source = SOURCES["clinc150"]
    with pytest.raises(SourceError, match="has no clinc150_short"):
        list(read_folder(source, tmp_path))
    tmp_path.joinpath(source.file).write_bytes(b"other")
    with pytest.raises(SourceError, match="expected 026ea6f60555"):
        list(read_folder(source, tmp_path))


def test_a_folder_named_after_a_benchmark_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds Arena-Hard"):
        list(read_folder(SOURCES["clinc150"], tmp_path / "Arena_Hard"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gsm8k", "kept for measurement"),
        ("nobody", "There is no source 'nobody'. Known: nine_models"),
        ("seven_small_models", "none stated"),
        ("alpaca_eval", "CC BY-NC"),
    ],
)
def test_what_may_not_train_is_refused_with_the_reason(name, said):
    with pytest.raises(SourceError, match=said):
        source_named(name, training=True)


def test_a_tier_is_enough_only_beside_a_dearer_one():
    found = labelled({"small": 1.0, "middle": 0.0}, {"small": 0.0, "large": 1.0}, {"small": 1.0})
    np.testing.assert_array_equal(found.targets, [[1, np.nan], [0, np.nan], [np.nan, np.nan]])


def labelled(*scores: dict[str, float], tiers=TIERS):
    rows = [Outcome(str(n), "routerbench", "quiz", "?", one) for n, one in enumerate(scores)]
    return labels_from_scores(rows, TrainingConfig(outcome_tiers={"routerbench": tiers}))


def test_labels_are_partial_monotone_and_light_where_nobody_answers():
    found = labelled(
        {"small": 1.0, "middle": 0.0, "large": 1.0},
        {"small": 0.0, "middle": 0.95, "large": 1.0},
        {"small": 0.0, "middle": 0.0, "large": 0.0},
        {"large": 1.0},
    )
    np.testing.assert_array_equal(found.targets, [[1, 1], [0, 1], [1, 1], [np.nan, np.nan]])
    assert found.weights[2] < found.weights[0] == 1.0


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ({**TIERS, "premium": ["huge"]}, "no row has a score of 'huge'. Scored: large, middle, small"),
        ({**TIERS, "premium": []}, "needs a model or more for each of economy, standard, premium"),
        ({**TIERS, "golden": ["large"]}, "needs a model or more"),
    ],
)
def test_a_table_that_speaks_of_what_is_not_there_is_refused(tiers, said):
    with pytest.raises(ConfigError, match=said):
        labelled({"small": 1.0, "middle": 1.0, "large": 1.0}, tiers=tiers)


def test_a_file_gives_a_source_its_table_and_leaves_the_others(tmp_path):
    file = tmp_path / "training.toml"
    file.write_text('[outcome_tiers.routerbench]\neconomy = ["small"]\n')
    tables = load_config(file).outcome_tiers
    assert tables["routerbench"] == {"economy": ("small",)}
    assert "premium" in tables["nine_models"]
    for wrong in ("outcome_tiers = 3", 'outcome_tiers.routerbench = ["a"]', "outcome_tiers.a.economy = 3"):
        file.write_text(wrong)
        with pytest.raises(ConfigError, match="outcome_tiers"):
            load_config(file)


def test_rows_that_stand_in_a_benchmark_are_left_out_and_counted(monkeypatch, tmp_path):
    held = tmp_path / "held"
    held.mkdir()
    held.joinpath("quiz.txt").write_text("Which of the seven rivers runs dry in summer?")
    scores = {"small": 1.0, "middle": 1.0, "large": 1.0}
    lines = [row(1, **scores), row(2, "which of the seven rivers runs dry in summer", **scores)]
    written(monkeypatch, tmp_path, lines)
    config = TrainingConfig(
        sources=("routerbench",),
        sources_from=tmp_path,
        held_out_from=held,
        outcome_tiers={"routerbench": TIERS},
    )
    found = load_outcomes(config)
    assert len(found.readings) == len(found.labels.targets) == 1
    assert (found.facts[0]["rows"], found.facts[0]["held_out"]) == (1, {"quiz.txt": 1})


def test_what_all_prompts_of_a_task_begin_with_is_no_part_of_them():
    form = "Answer as these were answered. " * 10 + "\n\nWhat is two and two?\nFour.\n\n"
    rows = [Outcome(str(n), "routerbench", "quiz", f"{form}What is it, {n}?\n\nSay.") for n in range(20)]
    assert [row.prompt for row in without_form(rows)][:2] == [
        "What is it, 0?\n\nSay.",
        "What is it, 1?\n\nSay.",
    ]
    # neither a few rows, nor a short start that they share, nor another task's
    assert without_form(rows[:19]) == rows[:19]
    short = [replace(row, prompt=f"Well.\n\n{row.id}") for row in rows]
    assert without_form(short) == short
    assert without_form([*rows, replace(rows[0], task="other", prompt=form)])[-1].prompt == form


def test_the_command_lists_sources_and_says_what_is_wrong(tmp_path):
    listed = CliRunner().invoke(main, ["sources"])
    assert listed.exit_code == 0
    assert all(name in listed.output for name in SOURCES)
    for given, said in (
        (["sources", "MT-Bench"], "kept for measurement"),
        (["sources", "clinc150", "--from", str(tmp_path)], "has no clinc150_short"),
        (["train", "--source", "alpaca_eval", "--output", str(tmp_path)], "may not train"),
    ):
        found = CliRunner().invoke(main, given)
        assert found.exit_code == 1
        assert said in found.output


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public data is not here")
@pytest.mark.parametrize(
    "name", sorted(one.name for one in SOURCES.values() if one.file and one.name != "alpaca_eval")
)
def test_the_real_files_are_the_known_ones(name):
    found = CliRunner().invoke(main, ["sources", name, "--from", str(SHARED)])
    assert found.exit_code == 0, found.output
    assert f"{SOURCES[name].rows} rows, 0 of them without" in found.output
