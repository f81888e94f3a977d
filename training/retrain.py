"""How feedback becomes a better champion: label → merge with the corpus → fit → report → judge → register.

The encoder is the champion's to the byte, and so is the strictness of its heads. Each long step is kept under
a key of all that it depends on: a run that was killed goes on, and the same inputs give the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from classifier.artifact import GRAPH, TOKENIZER
from classifier.features import FEATURE_NAMES
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import Verdict, read_verdict, write_verdict
from training.champion import FEEDBACK, Champion, encoder_of, load_champion
from training.evaluation import evaluate, held_out_rows
from training.executor import Executor, opened
from training.export import write_folder
from training.gate import Evidence, judge_beside
from training.judging import Sides, sides_of
from training.latency import milliseconds
from training.merge import Merged, RetrainRefused, merge
from training.pipeline import load_material
from training.refit import ARTIFACT, fit_judged, fit_whole, judging_rows, read_facts, read_judged
from training.registration import made_before, put_in_place, registered
from training.registry import store_uri
from training.retrain_config import RetrainConfig
from training.retrain_inputs import Inputs, inputs_of
from training.retrain_report import figures, retrain_documents
from training.work import Work, alone_in

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_STEPS = 7
_TIMED_ROWS = 100


@dataclass(frozen=True, slots=True)
class Retrained:
    """What a run leaves: the candidate in the models folder, its verdict, its MLflow run.

    `is_new` is False where the very same inputs had led to it before.
    """

    folder: Path
    verdict: Verdict
    run_id: str | None
    is_new: bool


def retrain(config: RetrainConfig) -> Retrained:
    """Make, judge and register one candidate; raise RetrainRefused where the data teach nothing.

    Nothing in the models folder changes before the candidate is whole and judged; the champion never does.
    """
    # One thread for the algebra: sums in one order give the same bytes.
    with (
        alone_in(config.work),
        threadpool_limits(1),
        tqdm(total=_STEPS, unit="step", disable=None, file=sys.stderr) as bar,
        opened(config.training) as executor,
    ):
        bar.set_description("reading the champion")
        champion = load_champion(config.models)
        inputs = inputs_of(config, champion)
        if made_before(config.models, inputs):
            folder = config.models / inputs.version
            return Retrained(folder, read_verdict(config.models, inputs.version), None, is_new=False)
        work = Work(config.work, inputs.key)
        try:
            merged = _merged(inputs, champion, work, config, executor, bar)
        except RetrainRefused:
            # the same data will be refused again: there is nothing to go on with
            work.clear()
            raise
        candidate = _candidate(merged, inputs, champion, work, config, executor, bar)
        run_id = None
        with put_in_place(candidate, config.models) as place:
            _says(bar, "registering")
            verdict = read_verdict(candidate.parent, inputs.version)
            uri = store_uri(config.mlflow or inputs.training.mlflow)
            if uri is not None:
                run_id = registered(uri, candidate, {**asdict(inputs.training), **config.numbers()})
            place()
            write_verdict(config.models, verdict)
        work.clear()
        bar.update()
    return Retrained(config.models / inputs.version, verdict, run_id, is_new=True)


def _merged(
    inputs: Inputs, champion: Champion, work: Work, config: RetrainConfig, executor: Executor, bar: Any
) -> Merged:
    encoder = encoder_of(champion.classifier, champion.folder, work.folder / "encoder")
    material = load_material(inputs.training, executor, bar, encoder)
    bar.set_description("labelling feedback")
    tiers, encoder_id = inputs.training.tiers, champion.manifest.encoder_id
    found = merge(inputs.exports, material, encoder_id, tiers, config, executor)
    bar.update()
    return found


def _candidate(
    merged: Merged,
    inputs: Inputs,
    champion: Champion,
    work: Work,
    config: RetrainConfig,
    executor: Executor,
    bar: Any,
) -> Path:
    """Return the folder of the candidate in the work folder, with its verdict beside it."""
    training, material = inputs.training, merged.material
    judging = judging_rows(material, training.folds)
    _says(bar, "fitting without the rows that judge")
    weighed = work.step(
        "weighed", lambda folder: fit_judged(folder, material, judging, merged.fitted, training, executor)
    )
    _says(bar, "fitting on every row")
    fitted = work.step(
        "fitted", lambda folder: fit_whole(folder, material, merged.fitted, training, executor)
    )
    _says(bar, "judging")
    sides = sides_of(merged, judging, read_judged(weighed).sufficiency, fitted / ARTIFACT, champion, training)
    made = work.step(
        "judged",
        lambda folder: _write(folder, merged, inputs, champion, sides, judging, (weighed, fitted), config),
    )
    bar.update()
    return made / inputs.version


def _write(
    folder: Path,
    merged: Merged,
    inputs: Inputs,
    champion: Champion,
    sides: Sides,
    judging: Flags,
    fits: tuple[Path, Path],
    config: RetrainConfig,
) -> None:
    """Write the candidate with its documents, and the verdict on it beside it."""
    weighed, fitted = fits
    training = inputs.training
    report = _report(merged, inputs, champion, sides, judging, weighed, read_facts(fitted))
    facts = _facts(merged, inputs, champion, report, read_facts(fitted))
    documents = retrain_documents(report, facts, training.folds)
    graph = onnx.load(fitted / ARTIFACT / GRAPH)
    candidate = write_folder(
        folder / inputs.version, graph, merged.material.encoder, training, facts, documents
    )
    artifacts = TierClassifier.load(candidate), champion.classifier
    readings = [row.reading for row in merged.material.rows[:: max(1, len(judging) // _TIMED_ROWS)]]
    ours, theirs = milliseconds(artifacts, readings)
    evidence = Evidence(
        sides.corpus,
        sides.feedback,
        sides.prompts,
        (report, champion.report),
        (ours, theirs),
        (_size(candidate), _size(champion.folder)),
    )
    verdict = judge_beside(
        candidate,
        champion.folder,
        evidence,
        training.tiers,
        training.threshold,
        training.seed,
        training.resamples,
    )
    write_verdict(folder, verdict)


def _report(
    merged: Merged,
    inputs: Inputs,
    champion: Champion,
    sides: Sides,
    judging: Flags,
    weighed: Path,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    training = inputs.training
    rows = [row for row, judges in zip(merged.material.rows, judging, strict=True) if judges]
    judged = read_judged(weighed)
    # Parts of the judging rows, for what the baselines are fitted on.
    parts = np.array([int(row.group[8:16], 16) % training.folds for row in rows])
    drawn = training.seed, training.resamples
    told = {
        where: figures(one, training.tiers, training.threshold, *drawn)
        for where, one in (("judging_corpus", sides.corpus), ("judging_feedback", sides.feedback))
        if one is not None
    }
    recipe = {
        "c": facts["c"],
        "trees": facts["trees"],
        "tree_bins": training.tree_bins,
        "judging_part": f"1 of {training.folds}",
    }
    return {
        "version": inputs.version,
        "threshold": training.threshold,
        "feature_count": len(FEATURE_NAMES),
        "created_by": inputs.created_by,
        **evaluate(rows, judged.sufficiency, parts, training.tiers, training.threshold, *drawn),
        **judged.probes,
        "calibrations": facts["calibrations"],
        "calibration_losses": facts["calibration_losses"],
        "retrain": {
            "champion": champion.manifest.version,
            "forgotten": champion.learned_from({str(one["name"]) for one in _data(merged)}),
            "recipe": recipe,
            **merged.report,
            **told,
        },
        "held_out": held_out_rows(rows, judged.sufficiency),
    }


def _data(merged: Merged) -> list[Mapping[str, object]]:
    """Return the files that were learned from besides feedback."""
    return [*merged.material.corpus.files, *merged.material.outcomes.facts]


def _facts(
    merged: Merged, inputs: Inputs, champion: Champion, report: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the manifest says of how the candidate was made."""
    exports = [
        {"name": f"{FEEDBACK}{place}", "sha256": digest, "rows": merged.report["feedback"]["decisions"]}
        for place, digest in enumerate(inputs.digests, start=1)
    ]
    metrics = {name: report[name] for name in ("accuracy", "recall", "under_routed", "over_routed", "heads")}
    kept = champion.manifest.metrics.get("encoder_cosine")
    return {
        "training": {
            "data": [*_data(merged), *exports],
            "rows": len(merged.material.rows),
            "seed": inputs.training.seed,
            "c": facts["c"],
            "champion": champion.manifest.version,
            "key": inputs.key,
            "weights": merged.report["weights"],
        },
        "metrics": metrics | {"sklearn_gap": facts["sklearn_gap"], "encoder_cosine": kept},
        "created_by": inputs.created_by,
    }


def _size(folder: Path) -> int:
    """Return the bytes of what is loaded: the report and its pictures weigh nothing in service."""
    return sum((folder / name).stat().st_size for name in (GRAPH, TOKENIZER))


def _says(bar: Any, step: str) -> None:
    bar.update()
    bar.set_description(step)
