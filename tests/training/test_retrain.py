"""From a log to a judged candidate, or to a reason: the champion is never touched, nothing is half done."""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from classifier.artifact import load_manifest, sha256
from classifier.features import FEATURE_NAMES
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import read_verdict
from serving.state.sqlite import SQLiteLog
from tests.artifacts import CHAMPION, write_models
from tests.benchmarks.prose import Prose
from tests.logs import graded, write_export
from tests.registries import client
from tests.serving.state.records import decision
from tests.training.retraining import TIERS, config_in, contents
from training import retrain as journey
from training import schedule
from training.decision_log import ExportError
from training.export import ExportRefused
from training.fetch import models_of
from training.merge import RetrainRefused
from training.registration import RegistrationFailed
from training.retrain import retrain
from training.retrain_cli import REFUSED
from training.retrain_cli import retrain as command


def test_the_candidate_lies_beside_the_champion_and_nothing_else_has_changed(made):
    config, before, found = made
    after = contents(config.models)
    new = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert {name.partition("/")[0] for name in new} == {
        found.folder.name,
        f"{found.folder.name}.verdict.json",
    }
    assert not list(config.work.iterdir())


def test_the_candidate_answers_with_the_champions_encoder_and_scale(made):
    config, _, found = made
    candidate, champion = TierClassifier.load(found.folder), TierClassifier.load(config.models / CHAMPION)
    assert candidate.manifest.encoder_id == champion.manifest.encoder_id
    assert candidate.tiers == champion.tiers
    one, other = candidate.predict_one("Prove it."), champion.predict_one("Prove it.")
    assert np.array_equal(one.embedding, other.embedding)
    assert one.sufficiency != other.sufficiency


def test_every_check_of_the_gate_is_in_the_verdict_with_its_figures(made):
    verdict = made[2].verdict
    assert verdict.champion == CHAMPION
    names = {check.name for check in verdict.checks}
    areas = {f"area recovered, is {tier} enough" for tier in TIERS[:-1]}
    parts = {"under-routing", "over-routing", *areas}
    assert {f"{part}, {where}" for part in parts for where in ("corpus", "feedback")} <= names
    assert {
        "dearer tiers, logged prompts",
        "latency",
        "size",
        "two tiers too low",
        "calibration error, is economy enough",
    } <= names
    assert {name for name in names if name.startswith("robustness")}
    compared = [check for check in verdict.checks if check.low is not None]
    assert all(check.low <= check.candidate - check.champion <= check.high for check in compared)


def test_the_report_says_what_weighs_what_and_what_was_left_out(made):
    _, _, found = made
    report = json.loads((found.folder / "report.json").read_text())["retrain"]
    left_out = report["feedback"]["left_out"]
    assert (left_out["embedded by another encoder"], left_out["features of another version"]) == (1, 1)
    sides, weights = report["sides"], report["weights"]
    assert sides["fitted"]["rows"] + sides["judging"]["rows"] <= report["feedback"]["graded"]
    assert 0.1 < sides["judging"]["rows"] / report["feedback"]["graded"] < 0.35
    assert 0.0 < weights["feedback_share"] < 1.0
    # the champion was trained with more than this run has
    trained = {one["name"] for one in load_manifest(made[0].models / CHAMPION).training["data"]}
    assert {one["name"] for one in report["forgotten"]} == trained - {"a.jsonl", "b.jsonl"}
    text = (found.folder / "report.txt").read_text()
    assert "1 embedded by another encoder" in text and "feedback: under-routed" in text
    assert "choosing the strictness" in (found.folder / "MODEL_CARD.md").read_text()


def test_no_prompt_and_no_path_enters_the_artifact(made, log):
    config, _, found = made
    prompts = [json.loads(one["prompt"])[0]["content"] for one in log if one["prompt"]]
    for name in ("manifest.json", "report.json", "report.txt", "MODEL_CARD.md"):
        text = (found.folder / name).read_text()
        assert not any(prompt in text for prompt in prompts if len(prompt) > 40)
        assert str(config.work.parent) not in text


def test_the_same_data_again_make_nothing_anew(made, monkeypatch):
    config, _, found = made
    monkeypatch.setattr(journey, "load_material", None)
    before = contents(config.models)
    again = retrain(config)
    assert (again.folder, again.is_new) == (found.folder, False)
    assert contents(config.models) == before


def test_other_data_under_the_same_name_are_refused(made):
    config, _, found = made
    other = replace(config, version=found.folder.name, feedback_weight=2.0)
    with pytest.raises(ExportRefused, match="--version"):
        retrain(other)


def killed(*_):
    raise KeyboardInterrupt


class Terminal(io.StringIO):
    """Where somebody looks on."""

    def isatty(self):
        return True


def test_a_killed_run_goes_on_and_a_registry_that_is_down_leaves_nothing_half_done(
    made, recipe, tmp_path, monkeypatch, blank_store
):
    first, _, found = made
    config = replace(config_in(tmp_path, recipe), exports=first.exports)
    before = contents(config.models)
    with monkeypatch.context() as patched:
        patched.setattr(journey, "fit_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            retrain(config)
    monkeypatch.setattr(journey, "fit_judged", killed)
    with pytest.raises(RegistrationFailed, match="the same retrain goes on"):
        retrain(replace(config, mlflow="http://127.0.0.1:9"))
    assert contents(config.models) == before
    monkeypatch.setattr(journey, "fit_whole", killed)
    monkeypatch.setattr(sys, "stderr", Terminal())
    store = f"sqlite:///{shutil.copy(blank_store, tmp_path)}"
    again = retrain(replace(config, mlflow=store))
    assert contents(again.folder) == contents(found.folder)
    assert read_verdict(config.models, again.folder.name) == again.verdict
    assert again.is_new and not list(config.work.iterdir())
    assert "registering" in sys.stderr.getvalue() and "7/7" in sys.stderr.getvalue()

    (version,) = client(store).search_model_versions(f"run_id = '{again.run_id}'")
    assert version.tags["weighbridge.version"] == again.folder.name
    assert version.tags["verdict"] == ("passed" if again.verdict.passed else "failed")
    told = client(store).get_run(again.run_id).data
    assert {sha256(file) for file in first.exports[0].iterdir()} <= set(told.params.values())
    assert told.params["feedback.key_share"] == "0.2"
    assert sum(name.startswith("gate/") for name in told.metrics) == len(again.verdict.checks)
    kept = {Path(one.path).name for one in client(store).list_artifacts(again.run_id, "artifact")}
    assert {"reliability.svg", "routing.svg", "robustness.svg", "attacks.svg", "report.json"} <= kept


def refusal(folder, recipe, rows):
    config = config_in(folder, recipe, write_export(folder / "log.jsonl", rows))
    before = contents(config.models)
    with pytest.raises(RetrainRefused) as refused:
        retrain(config)
    assert contents(config.models) == before
    # on a schedule, what every refusal leaves would fill the disk
    assert not list(config.work.iterdir())
    return str(refused.value)


def test_too_few_graded_conversations_are_refused_with_what_there_is(log, row, recipe, tmp_path):
    ungraded = [graded(row, 5_000 + number, "hello", "economy", True, feedback=[]) for number in range(3)]
    said = refusal(tmp_path, recipe, [one for one in log if one["prompt"]][:30] + ungraded)
    assert "Too little data" in said and "at least 40" in said and "3 not graded" in said


def test_prompts_that_stand_in_the_corpus_neither_teach_nor_judge(rows, row, recipe, tmp_path):
    prompts = [one["prompt"] for one in rows if "prompt" in one][:80]
    asked = [graded(row, n, one, TIERS[n % 2], n % 3 > 0) for n, one in enumerate(prompts)]
    said = refusal(tmp_path, recipe, asked)
    assert "Too little data: 0 graded" in said and "80 stand in the corpus word for word" in said


def test_answers_that_all_say_the_same_are_refused(row, recipe, tmp_path):
    prose = Prose()
    rows = [graded(row, number, prose.prompt(9), "economy", False) for number in range(80)]
    assert "One class only: every graded answer says not good enough" in refusal(tmp_path, recipe, rows)


def test_prompts_beyond_the_encoders_vocabulary_are_refused(row, recipe, tmp_path):
    signs = [chr(0x12000 + place) for place in range(200)]
    rows = [
        graded(row, number, " ".join(signs[number : number + 9]), TIERS[number % 2], number % 3 > 0)
        for number in range(80)
    ]
    assert "drifted beyond the encoder's vocabulary" in refusal(tmp_path, recipe, rows)


def test_embeddings_far_from_everything_are_refused(log, row, recipe, tmp_path):
    draw = np.random.default_rng(1)
    kept = log[0]["vectors"]
    rows = []
    for number in range(80):
        embedding = draw.normal(size=len(kept["embedding"]) // 4)
        away = (embedding / np.linalg.norm(embedding)).astype("<f4").tobytes()
        rows.append(
            graded(row, number, None, TIERS[number % 2], number % 3 > 0, vectors=kept | {"embedding": away})
        )
    assert "embeddings have drifted away" in refusal(tmp_path, recipe, rows)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("cut", "not a whole Parquet file"),
        ("nan", "score"),
        ("newer", "newer Weighbridge"),
        ("missing", "cannot be read"),
    ],
)
def test_a_bad_export_ends_with_its_reason_and_changes_nothing(log, recipe, tmp_path, damage, told):
    file = write_export(tmp_path / "log.parquet", log[:60])
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-200])
    elif damage == "missing":
        file.unlink()
    else:
        table = pq.read_table(file)
        rows = table.to_pylist()
        rows[7]["feedback"][0]["score"] = math.nan
        version = "3" if damage == "newer" else "2"
        schema = table.schema.with_metadata({"weighbridge.schema": f"weighbridge.decision-log/{version}"})
        pq.write_table(type(table).from_pylist(rows, schema=schema), file)
    config = config_in(tmp_path, recipe, file)
    before = contents(config.models)
    with pytest.raises(ExportError, match=told):
        retrain(config)
    assert contents(config.models) == before


def invoke(folder, *arguments):
    settings = folder / "training.toml"
    settings.write_text('folds = 3\ndresses = 0\nmlflow = "none"\n[retrain]\nleast_groups = 50\n')
    models = folder / "models"
    if not models.exists():
        write_models(models)
    places = ["--models", str(models), "--work", str(folder / "work"), "--config", str(settings)]
    return CliRunner().invoke(command, [*places, *arguments])


def test_the_command_fetches_the_services_own_log_and_says_with_its_code_that_it_teaches_nothing(
    corpus_folder, tmp_path
):
    (tmp_path / "weighbridge.toml").write_text(f'log.path = "{tmp_path}/kept.db"')
    log = SQLiteLog(tmp_path / "kept.db")
    log.write([decision(1, prompt='[{"role":"user","content":"hi"}]')])
    log.close()
    arguments = ["--corpus", str(corpus_folder), "--service", str(tmp_path / "weighbridge.toml")]
    result = invoke(tmp_path, *arguments)
    assert result.exit_code == REFUSED, result.output
    assert "Of 1 logged decisions 0 were graded" in result.output and "at least 50" in result.output
    # nobody's prompts stay behind
    assert not list((tmp_path / "work").glob("*.parquet"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--service", "nowhere.toml"], "could not be exported"),
        (["--export", "x.jsonl", "--since", "7d"], "leave --service and --since out"),
        (["--export", "x.jsonl", "--every", "soon"], "no duration"),
        (["--export", "x.jsonl", "--every", "1h", "--version", "a"], "leave --version out"),
        (["--export", "x.jsonl"], "no such file"),
        (["--export", "."], "holds no .parquet"),
        (["--export", "x.jsonl", "--version", CHAMPION], "no such file"),
        (["--export", "x.jsonl", "--executor", "ray", "--ray-address", "127.0.0.1:9"], "--executor local"),
        (["--export", "x.jsonl", "--corpus", "nowhere", "--seed", "1"], "no such file"),
    ],
)
def test_the_command_ends_with_a_sentence_and_not_a_traceback(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    result = invoke(tmp_path, *arguments)
    assert result.exit_code in (1, 2)
    assert said in result.output


def test_on_a_schedule_a_round_that_came_to_nothing_is_told_and_the_next_one_comes(tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(schedule, "every", partial(schedule.every, sleep=waited.append, rounds=2))
    result = invoke(tmp_path, "--export", str(tmp_path / "x.jsonl"), "--every", "1h")
    assert result.exit_code == 0, result.output
    assert result.output.count("This round came to nothing; the next one comes. ") == 2
    assert result.output.count("no such file") == 2
    assert [round(one / 3_600) for one in waited] == [1]


def test_the_champion_is_the_one_of_the_service_and_not_the_bundled_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    (tmp_path / "weighbridge.toml").write_text('classifier.models = "ours"')
    (tmp_path / "other.toml").write_text('[classifier]\nmodels = "theirs"\n')
    assert models_of(None) == Path("ours")
    assert models_of(tmp_path / "other.toml") == Path("theirs")
    result = CliRunner().invoke(command, ["--export", "x.jsonl", "--work", "work"])
    assert result.exit_code == 1 and "ours" in result.output
    (tmp_path / "weighbridge.toml").write_text("[classifier]\n")
    assert models_of(None) is None
    monkeypatch.setenv("WEIGHBRIDGE_CONFIG", "other.toml")
    assert models_of(None) == Path("theirs")


def test_a_folder_of_parquet_is_one_export_and_features_are_joined_to_their_width(log, tmp_path, recipe):
    folder = tmp_path / "parts"
    folder.mkdir()
    write_export(folder / "b.parquet", log[20:40])
    write_export(folder / "a.parquet", log[:20])
    config = config_in(tmp_path, recipe, folder)
    with pytest.raises(RetrainRefused, match="Of 40 logged decisions"):
        retrain(config)
    assert len(log[0]["vectors"]["features"]) == 4 * len(FEATURE_NAMES)
    assert load_manifest(config.models / CHAMPION).version == CHAMPION
