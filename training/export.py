"""Heads and encoder to an artifact: one ONNX graph, and a folder that is written whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from classifier.artifact import FORMAT_VERSION, GRAPH, MANIFEST, TOKENIZER, sha256
from classifier.features import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from training.config import TrainingConfig
from training.embedding import MadeEncoder
from training.fit import Head
from training.static_encoder import IR_VERSION, OPSET


class ExportRefused(RuntimeError):
    """What would be written is not what was fitted, or would change an artifact that exists."""


def merged_graph(encoder: MadeEncoder, heads: Sequence[Head]) -> Any:
    """Return encoder ⊕ standardise ⊕ clip ⊕ heads ⊕ calibration ⊕ monotone as one model.

    Inputs: the encoder's feeds and `features` [F]. Outputs: `sufficiency` [K], `embedding` [D].
    """
    model = compose.merge_models(
        encoder.graph(), _heads_graph(heads), io_map=[("embedding", "encoded")], outputs=["sufficiency"]
    )
    if heads[0].words is not None:
        # Both halves look at the same tokens; the merge takes the second for an input of its own.
        model.graph.input.remove(next(one for one in model.graph.input if one.name == "counted_ids"))
        for node in model.graph.node:
            node.input[:] = ["token_ids" if name == "counted_ids" else name for name in node.input]
    # The merge hides the embedding, which serving hands on.
    dimensions = heads[0].pipeline.n_features_in_ - len(FEATURE_NAMES)
    model.graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [dimensions]))
    model.producer_name, model.doc_string = "weighbridge", ""
    onnx.checker.check_model(model)
    return model


def write_artifact(
    folder: Path,
    encoder: MadeEncoder,
    heads: Sequence[Head],
    config: TrainingConfig,
    facts: Mapping[str, Any],
    documents: Mapping[str, str],
) -> Path:
    """Write an artifact folder and return it; an equal one is left alone, a different one is never changed.

    `facts` are the manifest's `training`, `metrics` and `created_by`; `documents` are further files by name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as parent:
        unfinished = Path(parent, folder.name)
        unfinished.mkdir()
        onnx.save(merged_graph(encoder, heads), unfinished / GRAPH)
        shutil.copyfile(encoder.tokenizer_file, unfinished / TOKENIZER)
        for name, text in documents.items():
            (unfinished / name).write_text(text, encoding="utf-8")
        _write_manifest(unfinished, folder.name, encoder, config, facts)
        if not folder.exists():
            unfinished.rename(folder)
        elif _digests(unfinished) != _digests(folder):
            raise ExportRefused(
                f"{folder} exists and differs from what was trained now. An artifact is never edited: "
                "give the new one a name with --version, or another place with --output."
            )
    return folder


def _write_manifest(
    unfinished: Path, version: str, encoder: MadeEncoder, config: TrainingConfig, facts: Mapping[str, Any]
) -> None:
    manifest = {
        "format_version": FORMAT_VERSION,
        "version": version,
        "tiers": list(config.tiers),
        "threshold": config.threshold,
        "feature_schema_version": FEATURE_SCHEMA_VERSION,
        "feature_count": len(FEATURE_NAMES),
        "encoder": dict(encoder.facts),
        "files": _digests(unfinished),
        **facts,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    (unfinished / MANIFEST).write_text(text, encoding="utf-8")


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(folder.iterdir())}


def _heads_graph(heads: Sequence[Head]) -> Any:
    """Return encoded [D], features [F] → sufficiency [K]; a row of each constant per head."""
    width = heads[0].pipeline.n_features_in_
    counts = heads[0].words is not None
    nodes = [
        helper.make_node("Concat", ["encoded", "features"], ["inputs"], axis=0),
        helper.make_node("Sub", ["inputs", "means"], ["centred"]),
        helper.make_node("Div", ["centred", "deviations"], ["standard"]),
        helper.make_node("Clip", ["standard", "lowest", "highest"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "coefficients"], ["terms"]),
        helper.make_node("ReduceSum", ["terms", "across"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "intercepts"], ["dense_scores" if counts else "scores"]),
        *(_token_nodes() if counts else []),
        helper.make_node("Mul", ["scores", "slopes"], ["sloped"]),
        helper.make_node("Add", ["sloped", "shifts"], ["calibrated"]),
        helper.make_node("Sigmoid", ["calibrated"], ["raw"]),
        *_monotone(len(heads)),
    ]
    inputs = [
        helper.make_tensor_value_info("encoded", TensorProto.FLOAT, [width - len(FEATURE_NAMES)]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [len(FEATURE_NAMES)]),
    ]
    if counts:
        inputs.append(helper.make_tensor_value_info("counted_ids", TensorProto.INT64, ["tokens"]))
    outputs = [helper.make_tensor_value_info("sufficiency", TensorProto.FLOAT, [len(heads) + 1])]
    graph = helper.make_graph(nodes, "heads", inputs, outputs, _constants(heads))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _token_nodes() -> list[Any]:
    """Return what `training.tokens.token_rows` does, times the weights of the tokens."""
    return [
        helper.make_node("Unique", ["counted_ids"], ["distinct", "", "", "counts"], sorted=0),
        helper.make_node("Cast", ["counts"], ["counts_float"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["counts_float", "one"], ["counts_and_one"]),
        helper.make_node("Log", ["counts_and_one"], ["loudness"]),
        helper.make_node("ReduceL2", ["loudness"], ["loudness_norm"], axes=[0], keepdims=1),
        helper.make_node("Div", ["loudness", "loudness_norm"], ["shares"]),
        helper.make_node("Gather", ["words", "distinct"], ["word_rows"], axis=0),
        helper.make_node("MatMul", ["shares", "word_rows"], ["word_scores"]),
        helper.make_node("Add", ["dense_scores", "word_scores"], ["scores"]),
    ]


def _monotone(heads: int) -> list[Any]:
    """Return the running minimum from the top: no tier is enough with more certainty than a dearer one."""
    raw = [f"raw_{head}" for head in range(heads)]
    # One output per head needs no sizes; Split wants them where there is only one.
    nodes = [helper.make_node("Split", ["raw"], raw, axis=0)] if heads > 1 else []
    least = ["raw"] if heads == 1 else [raw[-1]]
    for head in range(heads - 2, -1, -1):
        least.insert(0, f"least_{head}")
        nodes.append(helper.make_node("Min", [raw[head], least[1]], [least[0]]))
    return [*nodes, helper.make_node("Concat", [*least, "certain"], ["sufficiency"], axis=0)]


def _constants(heads: Sequence[Head]) -> list[Any]:
    steps = [head.pipeline.named_steps for head in heads]
    clip = steps[0]["clip"].kw_args
    per_head = {
        "means": [step["standardise"].mean_ for step in steps],
        "deviations": [step["standardise"].scale_ for step in steps],
        "coefficients": [step["logistic"].coef_[0] * step["weigh"].kw_args["weights"] for step in steps],
        "intercepts": [step["logistic"].intercept_[0] for step in steps],
        "slopes": [head.calibration.slope for head in heads],
        "shifts": [head.calibration.intercept for head in heads],
        "lowest": clip["a_min"],
        "highest": clip["a_max"],
        "certain": [1.0],
    }
    if heads[0].words is not None:
        per_head |= {"words": np.stack([np.asarray(head.words) for head in heads], axis=1), "one": [1.0]}
    constants = [
        numpy_helper.from_array(np.asarray(v, dtype=np.float32), name) for name, v in per_head.items()
    ]
    return [*constants, numpy_helper.from_array(np.array([1], dtype=np.int64), "across")]
