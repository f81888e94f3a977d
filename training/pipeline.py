"""How an artifact is made: load → embed → split → fit and weigh held out → export → judge → register."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from classifier.artifact import bundled_models
from classifier.features import FEATURE_NAMES, features
from classifier.tier_classifier import TierClassifier
from training.card import model_card
from training.config import TrainingConfig
from training.dataset import Corpus, Row, load_corpus, split
from training.embedding import MadeEncoder, embed, make_encoder
from training.evaluation import as_json, evaluate, held_out_rows
from training.export import write_artifact
from training.fit import Examples, Head, fit_heads
from training.gate import REPORT, Verdict, judge
from training.labeling import graded
from training.outcomes import Outcomes, load_outcomes
from training.parity import SAMPLE_ROWS, prove_encoder, prove_heads
from training.registry import register
from training.tokens import token_rows

CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run leaves: the artifact's folder, its report, its verdict, and the id of its MLflow run."""

    folder: Path
    report: dict[str, Any]
    verdict: Verdict
    run_id: str | None


@dataclass(frozen=True, slots=True)
class _Material:
    """Everything that fitting needs: the rows of the corpus first, then those of the outcome data."""

    corpus: Corpus
    outcomes: Outcomes
    encoder: MadeEncoder
    examples: Examples

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return the rows that are judged: those of the corpus."""
        return self.corpus.rows


def train(config: TrainingConfig) -> Trained:
    """Train, prove, measure and write one artifact."""
    # One thread for the algebra: matrices this small go faster so, and sums in one order give the same bytes.
    with (
        threadpool_limits(1),
        tqdm(total=5 + config.folds, unit="step", disable=None, file=sys.stderr) as bar,
    ):
        material = _load(config, bar)
        held_out = _weigh_held_out(material, config, bar)
        bar.set_description("fitting on every row")
        heads = _fit(material, np.ones(len(material.examples.inputs), dtype=bool), config)
        bar.update()
        bar.set_description("proving and writing")
        report = _report(material, held_out, config)
        folder = _export(material, heads, report, config)
        bar.update()
        bar.set_description("judging")
        verdict = judge(report, material.rows, bundled_models(), config.tiers, config.threshold)
        _write(config.output / f"{config.version}.verdict.json", verdict.as_dict())
        run_id = (
            register(config.mlflow, folder, config, report, passed=verdict.passed) if config.mlflow else None
        )
        bar.update()
    return Trained(folder, report, verdict, run_id)


def created_by(config: TrainingConfig) -> str:
    """Return the command that makes this artifact again."""
    return f"weighbridge train --version {config.version} --seed {config.seed} --encoder {config.encoder}"


def _load(config: TrainingConfig, bar: Any) -> _Material:
    bar.set_description("reading the corpus")
    corpus = load_corpus(config.corpus, config.tiers)
    outcomes = load_outcomes(config)
    readings = [*(row.reading for row in corpus.rows), *outcomes.readings]
    bar.update()
    bar.set_description(f"making the {config.encoder} encoder")
    encoder = make_encoder(config)
    feeds = encoder.feeder().feeds(readings)
    embeddings = embed(encoder, feeds)
    bar.update()
    own = len(corpus.rows)
    examples = Examples(
        inputs=np.hstack([embeddings, np.stack([features(reading) for reading in readings])]),
        labels=graded([row.tier for row in corpus.rows], config.tiers).and_then(outcomes.labels),
        folds=np.concatenate([split(corpus.rows, config.folds, config.seed), outcomes.folds]),
        families=np.concatenate([np.zeros(own, dtype=np.int64), outcomes.families]),
        tokens=token_rows(feeds, encoder.vocabulary()) if counts_tokens(config) else None,
    )
    return _Material(corpus, outcomes, encoder, examples)


def counts_tokens(config: TrainingConfig) -> bool:
    """Return whether the heads weigh single tokens: a transformer knows them by itself."""
    return config.encoder == "static" and config.token_weight > 0.0


def _fit(material: _Material, chosen: npt.NDArray[np.bool_], config: TrainingConfig) -> list[Head]:
    """Fit on some rows, with folds of their own for choosing and calibrating."""
    examples = material.examples.take(chosen)
    rows = [row for row, wanted in zip(material.rows, chosen, strict=False) if wanted]
    folds = np.concatenate([split(rows, config.folds, config.seed + 1), examples.folds[len(rows) :]])
    embedded = examples.inputs.shape[1] - len(FEATURE_NAMES)
    return fit_heads(replace(examples, folds=folds), config, embedded)


def _weigh_held_out(material: _Material, config: TrainingConfig, bar: Any) -> npt.NDArray[np.float64]:
    """Return the sufficiencies of every row of the corpus [N, K] from exported artifacts without its fold."""
    held_out = np.zeros((len(material.rows), len(config.tiers)))
    for fold in range(config.folds):
        bar.set_description(f"fold {fold + 1} of {config.folds}")
        outside = material.examples.folds == fold
        heads = _fit(material, ~outside, config)
        with tempfile.TemporaryDirectory() as folder:
            artifact = _served(Path(folder, "fold"), material, heads, config)
            readings = [row.reading for row, out in zip(material.rows, outside, strict=False) if out]
            found = artifact.predict_readings(readings)
        held_out[outside[: len(held_out)]] = [one.sufficiency for one in found]
        bar.update()
    return held_out


def _served(
    folder: Path, material: _Material, heads: Sequence[Head], config: TrainingConfig
) -> TierClassifier:
    """Write a bare artifact and load it again, so that what is measured is what would be served."""
    facts: dict[str, Any] = {"training": {}, "metrics": {}, "created_by": created_by(config)}
    return TierClassifier.load(write_artifact(folder, material.encoder, heads, config, facts, {}))


def _report(material: _Material, held_out: npt.NDArray[np.float64], config: TrainingConfig) -> dict[str, Any]:
    rows = material.rows
    return {
        "version": config.version,
        "tiers": list(config.tiers),
        "threshold": config.threshold,
        "feature_count": len(FEATURE_NAMES),
        "created_by": created_by(config),
        **evaluate(rows, held_out, material.examples.folds[: len(rows)], config.tiers, config.threshold),
        "held_out": held_out_rows(rows, held_out),
    }


def _export(
    material: _Material, heads: Sequence[Head], report: dict[str, Any], config: TrainingConfig
) -> Path:
    """Prove the graph and the encoder on a sample, then write the artifact with its report and card."""
    step = max(1, len(material.rows) // SAMPLE_ROWS)
    sample = [row.reading for row in material.rows[::step]]
    chosen = np.zeros(len(material.examples.inputs), dtype=bool)
    chosen[: len(material.rows) : step] = True
    shown = material.examples.take(chosen)
    with tempfile.TemporaryDirectory() as folder:
        gap = prove_heads(
            _served(Path(folder, "proof"), material, heads, config), heads, sample, shown.inputs, shown.tokens
        )
    cosine = prove_encoder(material.encoder, sample, config.encoder_source)
    facts = {
        "training": {
            "data": [*material.corpus.files, *material.outcomes.facts],
            "rows": len(material.corpus.rows),
            "seed": config.seed,
            "c": [head.c for head in heads],
        },
        "metrics": {
            name: report[name] for name in ("accuracy", "recall", "under_routed", "over_routed", "heads")
        }
        | {"sklearn_gap": float(f"{gap:.1e}"), "encoder_cosine": round(cosine, 4)},
        "created_by": report["created_by"],
    }
    documents = {
        REPORT: as_json(report),
        CARD: model_card(material.corpus, report, material.encoder.facts, config.folds),
    }
    return write_artifact(config.output / config.version, material.encoder, heads, config, facts, documents)


def _write(file: Path, found: dict[str, Any]) -> None:
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
