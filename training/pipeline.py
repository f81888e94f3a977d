"""How an artifact is made: load → embed → split → fit and weigh held out → export → judge → register."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from classifier.artifact import bundled_models
from classifier.features import FEATURE_NAMES
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import Verdict, write_verdict
from training.augment import augmented, other_words
from training.candidates import compare_candidates
from training.config import TrainingConfig
from training.dataset import Corpus, Row, load_corpus, split
from training.documents import REPORT_TEXT, documents
from training.embedded import PackedEncoder, embed_readings, packed
from training.embedding import MadeEncoder, make_encoder
from training.evaluation import evaluate, held_out_rows
from training.executor import Executor, LocalExecutor, opened
from training.export import write_artifact
from training.fit import Examples, Head, fit_heads
from training.gate import judge
from training.held_out import Probes, known_paraphrases, probe
from training.labeling import graded
from training.outcomes import Outcomes, load_outcomes
from training.parity import SAMPLE_ROWS, prove_encoder, prove_heads
from training.registry import Registered, RegistryError, register, store_uri
from training.tokens import token_rows
from training.transfer import Transfer, corpus_rows, outcome_rows, sources_left_out, transfer, without_each

# What is learned from; those that measure lie in a folder of their own (`training.held_out`).
PARAPHRASES = Path("paraphrases") / "rows.jsonl"

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run leaves: the artifact's folder, its report, its verdict, and its place in the registry.

    `unregistered` says why it has none although it should: the artifact is whole all the same.
    """

    folder: Path
    report: dict[str, Any]
    verdict: Verdict
    registered: Registered | None = None
    unregistered: str | None = None

    @property
    def text(self) -> str:
        """Return the report as a person reads it."""
        return (self.folder / REPORT_TEXT).read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that fitting needs: the rows of the corpus, then their other dresses, then the outcome data.

    `examples` has one row for each of them; `source_row` [N] says which row of the corpus one is or is a
    dress of, -1 for outcome data.
    """

    corpus: Corpus
    outcomes: Outcomes
    encoder: MadeEncoder
    examples: Examples
    source_row: npt.NDArray[np.int64]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return the rows that are judged: those of the corpus as they were written."""
        return self.corpus.rows

    @property
    def folds(self) -> npt.NDArray[np.int64]:
        """Return the folds of those rows."""
        return self.examples.folds[: len(self.rows)]


def train(config: TrainingConfig) -> Trained:
    """Train, prove, measure and write one artifact."""
    # One thread for the algebra: matrices this small go faster so, and sums in one order give the same bytes.
    with (
        threadpool_limits(1),
        tqdm(total=6 + config.folds, unit="step", disable=None, file=sys.stderr) as bar,
        opened(config) as executor,
    ):
        material = load_material(config, executor, bar)
        heads, held_out, probes = _fit_all(material, config, executor, bar)
        bar.set_description("proving and writing")
        report = _report(material, heads, held_out, probes, config)
        folder = _export(material, heads, report, config)
        bar.update()
        bar.set_description("judging")
        verdict = judge(folder, report, material.rows, bundled_models(), config.tiers, config.threshold)
        write_verdict(config.output, verdict)
        bar.update()
        bar.set_description("registering")
        found = Trained(folder, report, verdict, *_register(folder, config))
        bar.update()
    return found


def _register(folder: Path, config: TrainingConfig) -> tuple[Registered | None, str | None]:
    uri = store_uri(config.mlflow)
    if uri is None:
        return None, None
    try:
        return register(uri, folder, asdict(config)), None
    except RegistryError as error:
        # hours of fitting are not thrown away for a registry that can be told later
        return None, str(error)


def created_by(config: TrainingConfig) -> str:
    """Return the command that makes this artifact again.

    >>> created_by(TrainingConfig(version="1.0", sources=("clinc150",)))
    'weighbridge train --version 1.0 --seed 7 --encoder static --source clinc150 --from FOLDER'
    """
    public = config.sources or config.measured
    parts = [
        f"weighbridge train --version {config.version} --seed {config.seed} --encoder {config.encoder}",
        *(["--compare"] if config.compare else []),
        *(f"--source {name}" for name in config.sources),
        *(f"--measure {name}" for name in config.measured),
        *(["--from FOLDER"] if public else []),
        *(["--held-out BENCHMARKS"] if public and config.held_out_from else []),
    ]
    return " ".join(parts)


def load_material(
    config: TrainingConfig, executor: Executor, bar: Any, encoder: MadeEncoder | None = None
) -> Material:
    """Read and embed all that the config names; the encoder is made where none is given."""
    bar.set_description("reading the corpus")
    corpus = load_corpus(config.corpus, config.tiers)
    dresses = [
        *augmented(corpus.rows, config.seed, config.dresses),
        *other_words(corpus.rows, config.corpus / PARAPHRASES),
    ]
    outcomes = load_outcomes(config)
    rows = [*corpus.rows, *dresses]
    readings = [*(row.reading for row in rows), *outcomes.readings]
    bar.update()
    if encoder is None:
        bar.set_description(f"making the {config.encoder} encoder")
        encoder = make_encoder(config)
    embedded = embed_readings(executor, packed(encoder), readings)
    bar.update()
    places = {row.id: place for place, row in enumerate(corpus.rows)}
    own = np.array([places[row.id] for row in rows], dtype=np.int64)
    folds = split(corpus.rows, config.folds, config.seed)[own]
    labels = graded([row.tier for row in rows], config.tiers)
    labels.weights[len(corpus.rows) :] = config.dress_weight
    examples = Examples(
        inputs=embedded.inputs,
        labels=labels.and_then(outcomes.labels),
        folds=np.concatenate([folds, outcomes.folds]),
        families=np.concatenate([np.zeros(len(rows), dtype=np.int64), outcomes.families]),
        tokens=token_rows(embedded.feeds, encoder.vocabulary()) if counts_tokens(config) else None,
    )
    source_row = np.concatenate([own, np.full(len(outcomes.readings), -1, dtype=np.int64)])
    return Material(corpus, outcomes, encoder, examples, source_row)


def counts_tokens(config: TrainingConfig) -> bool:
    """Return whether the heads weigh single tokens: a transformer knows them by itself."""
    return config.encoder == "static" and config.token_weight > 0.0


def _fit(material: Material, chosen: Flags, config: TrainingConfig) -> list[Head]:
    """Fit on some rows of the corpus, their dresses, and all outcome data but that of the folds left out."""
    examples = fitting_rows(material, chosen, config)
    return fit_heads(examples, config, examples.inputs.shape[1] - len(FEATURE_NAMES))


def fitting_rows(material: Material, chosen: Flags, config: TrainingConfig) -> Examples:
    """Return the examples to fit on where some rows of the corpus are chosen, with the folds within them."""
    left_out = np.unique(material.folds[~chosen])
    own = material.source_row >= 0
    wanted = np.where(own, chosen[material.source_row], ~np.isin(material.examples.folds, left_out))
    examples = material.examples.take(wanted)
    rows = [row for row, taken in zip(material.rows, chosen, strict=True) if taken]
    # Folds of their own, for choosing and calibrating; a row and its dresses stay together.
    within = np.zeros(len(material.rows), dtype=np.int64)
    within[chosen] = split(rows, config.inner_folds, config.seed + 1)
    source_row = material.source_row[wanted]
    folds = np.where(source_row >= 0, within[source_row], examples.folds % config.inner_folds)
    return replace(examples, folds=folds)


@dataclass(frozen=True, slots=True)
class _Work:
    """What every fit of a run shares, ready to travel; the encoder within `material` stays at home."""

    material: Material
    encoder: PackedEncoder
    paraphrases: Mapping[str, str]
    config: TrainingConfig


@dataclass(frozen=True, slots=True)
class _Fold:
    """What an artifact without one fold says of that fold's rows: sufficiencies [n, K]; what probes found."""

    sufficiencies: Numbers
    probes: Probes


def _fit_all(
    material: Material, config: TrainingConfig, executor: Executor, bar: Any
) -> tuple[list[Head], Numbers, Probes]:
    """Return the heads fitted on every row, and what artifacts without each fold say of it.

    The latter: the sufficiencies of every row of the corpus [N, K], and what perturbations and attacks do to
    rows that these artifacts have not seen.
    """
    rows = material.rows
    work = _Work(material, packed(material.encoder), known_paraphrases(config, rows), config)
    # the fit on every row takes longest, and so comes first
    found = executor.map(_fit_one, work, [None, *range(config.folds)])
    bar.set_description("fitting on every row")
    heads = next(found)
    bar.update()
    held_out, probes = np.zeros((len(rows), len(config.tiers))), Probes()
    for fold in range(config.folds):
        bar.set_description(f"fold {fold + 1} of {config.folds}")
        weighed = next(found)
        held_out[material.folds == fold] = weighed.sufficiencies
        probes.add(weighed.probes)
        bar.update()
    return heads, held_out, probes


def _fit_one(work: _Work, fold: int | None) -> Any:
    """Return the heads on every row for None, else the `_Fold` that an artifact without that fold makes."""
    material, config = work.material, work.config
    if fold is None:
        return _fit(material, np.ones(len(material.rows), dtype=bool), config)
    outside = material.folds == fold
    heads = _fit(material, ~outside, config)
    unseen = [material.rows[place] for place in np.flatnonzero(outside)]
    probes = Probes()
    with work.encoder.unpacked() as encoder, _served(encoder, heads, config) as artifact:
        found = artifact.predict_readings([row.reading for row in unseen])
        probe(probes, artifact, unseen, work.paraphrases, config)
    return _Fold(np.array([one.sufficiency for one in found]), probes)


@contextmanager
def _served(encoder: MadeEncoder, heads: Sequence[Head], config: TrainingConfig) -> Iterator[TierClassifier]:
    """Write a bare artifact and load it again, so that what is measured is what would be served."""
    facts: dict[str, Any] = {"training": {}, "metrics": {}, "created_by": created_by(config)}
    with tempfile.TemporaryDirectory() as folder:
        yield TierClassifier.load(write_artifact(Path(folder, "bare"), encoder, heads, config, facts, {}))


def _report(
    material: Material, heads: Sequence[Head], held_out: Numbers, probes: Probes, config: TrainingConfig
) -> dict[str, Any]:
    rows = material.rows
    calibrations = dict(zip(config.tiers[:-1], (head.calibration for head in heads), strict=True))
    found = {
        "version": config.version,
        "threshold": config.threshold,
        "feature_count": len(FEATURE_NAMES),
        "created_by": created_by(config),
        **evaluate(
            rows, held_out, material.folds, config.tiers, config.threshold, config.seed, config.resamples
        ),
        **probes.as_dict(config.seed, config.resamples),
        "calibrations": {tier: one.kind for tier, one in calibrations.items()},
        "calibration_losses": {tier: one.losses for tier, one in calibrations.items()},
        "held_out": held_out_rows(rows, held_out),
    }
    measured = _measured(material, config)
    if measured.outcomes.readings:
        found |= _transfer(measured, config)
    if config.compare:
        embedded = material.examples.inputs.shape[1] - len(FEATURE_NAMES)
        plain = np.arange(len(material.examples.inputs)) < len(rows)
        found["candidates"] = compare_candidates(material.examples.take(plain), config, embedded)
    return found


def _measured(material: Material, config: TrainingConfig) -> Material:
    """Return the material with the sources that train nothing beside those that do."""
    if not config.measured:
        return material
    sources = tuple(dict.fromkeys((*config.sources, *config.measured)))
    every = replace(config, sources=sources, dresses=0)
    return load_material(every, LocalExecutor(1), tqdm(disable=True), material.encoder)


def _transfer(material: Material, config: TrainingConfig) -> dict[str, Any]:
    """Return what was learned elsewhere is worth on each task, and on each source, of the outcome data."""
    plain = (np.arange(len(material.source_row)) < len(material.rows)) | (material.source_row < 0)
    examples = material.examples.take(plain)
    outcomes = material.outcomes
    length = np.array([float(reading.request_chars) for reading in outcomes.readings])
    found = outcome_rows(
        outcomes.scores, outcomes.families, outcomes.names, length, len(material.rows), config
    )
    made = Transfer(
        examples, len(material.rows), found, config, examples.inputs.shape[1] - len(FEATURE_NAMES)
    )
    corpus = corpus_rows(
        np.array([config.tiers.index(row.tier) for row in material.rows]),
        [row.kind for row in material.rows],
        np.array([float(row.reading.request_chars) for row in material.rows]),
    )
    without = without_each(made)
    return {
        "left_out": transfer(made, without),
        "source_out": sources_left_out(made, without, corpus),
    }


def _export(
    material: Material, heads: Sequence[Head], report: dict[str, Any], config: TrainingConfig
) -> Path:
    """Prove the graph and the encoder on a sample, then write the artifact with its report and card."""
    step = max(1, len(material.rows) // SAMPLE_ROWS)
    sample = [row.reading for row in material.rows[::step]]
    chosen = np.zeros(len(material.examples.inputs), dtype=bool)
    chosen[: len(material.rows) : step] = True
    shown = material.examples.take(chosen)
    with _served(material.encoder, heads, config) as artifact:
        gap = prove_heads(artifact, heads, sample, shown.inputs, shown.tokens)
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
    written = documents(
        material.corpus, material.folds, material.outcomes.facts, report, material.encoder.facts, config
    )
    return write_artifact(config.output / config.version, material.encoder, heads, config, facts, written)
