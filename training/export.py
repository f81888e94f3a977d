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
from training.trees import DOMAIN, tree_node

_ML_OPSET = 3


class ExportRefused(RuntimeError):
    """What would be written is not what was fitted, or would change an artifact that exists."""


def merged_graph(encoder: MadeEncoder, heads: Sequence[Head]) -> Any:
    """Return encoder ⊕ standardise ⊕ clip ⊕ heads ⊕ calibration ⊕ monotone as one model.

    Inputs: the encoder's feeds and `features` [F]. Outputs: `sufficiency` [K], `embedding` [D].
    """
    model = compose.merge_models(
        encoder.graph(), _heads_graph(heads), io_map=[("embedding", "encoded")], outputs=["sufficiency"]
    )
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
    """Write an artifact folder and return it, as `write_folder` does."""
    return write_folder(folder, merged_graph(encoder, heads), encoder, config, facts, documents)


def write_folder(
    folder: Path,
    graph: Any,
    encoder: MadeEncoder,
    config: TrainingConfig,
    facts: Mapping[str, Any],
    documents: Mapping[str, str],
) -> Path:
    """Write a graph as an artifact; an equal folder is left alone, a different one is never changed.

    `facts` are the manifest's `training`, `metrics` and `created_by`; `documents` are further files by name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as parent:
        unfinished = Path(parent, folder.name)
        unfinished.mkdir()
        onnx.save(graph, unfinished / GRAPH)
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
    bends = any(head.calibration.knots for head in heads)
    trees = any(head.trees is not None for head in heads)
    scores = "tree_scores" if trees else "scores"
    nodes = [
        helper.make_node("Concat", ["encoded", "features"], ["inputs"], axis=0),
        helper.make_node("Sub", ["inputs", "means"], ["centred"]),
        helper.make_node("Div", ["centred", "deviations"], ["standard"]),
        helper.make_node("Clip", ["standard", "lowest", "highest"], ["clipped"]),
        helper.make_node("Mul", ["clipped", "coefficients"], ["terms"]),
        helper.make_node("ReduceSum", ["terms", "across"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "intercepts"], ["dense_scores" if counts else "scores"]),
        *(_term_nodes() if counts else []),
        *(_tree_nodes(heads) if trees else []),
        helper.make_node("Mul", [scores, "slopes"], ["sloped"]),
        helper.make_node("Add", ["sloped", "shifts"], ["straight" if bends else "calibrated"]),
        *(_bend_nodes(scores) if bends else []),
        helper.make_node("Sigmoid", ["calibrated"], ["raw"]),
        *_monotone(len(heads)),
    ]
    inputs = [
        helper.make_tensor_value_info("encoded", TensorProto.FLOAT, [width - len(FEATURE_NAMES)]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, [len(FEATURE_NAMES)]),
    ]
    if counts:
        inputs.append(helper.make_tensor_value_info("term_ids", TensorProto.INT32, ["terms"]))
        inputs.append(helper.make_tensor_value_info("term_weights", TensorProto.FLOAT, ["terms"]))
    outputs = [helper.make_tensor_value_info("sufficiency", TensorProto.FLOAT, [len(heads) + 1])]
    graph = helper.make_graph(nodes, "heads", inputs, outputs, _constants(heads))
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, _ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets if trees else opsets[:1], ir_version=IR_VERSION)


def _tree_nodes(heads: Sequence[Head]) -> list[Any]:
    """Return the trees of each head over inputs and linear score; one without any keeps its linear score."""
    names = [f"linear_{head}" for head in range(len(heads))]
    nodes = [helper.make_node("Split", ["scores"], names, axis=0)] if len(heads) > 1 else []
    names = names if len(heads) > 1 else ["scores"]
    found = []
    for place, (head, linear) in enumerate(zip(heads, names, strict=True)):
        if head.trees is None:
            found.append(linear)
            continue
        flat, row, out, score = (f"{part}_{place}" for part in ("flat", "row", "grown", "tree_score"))
        nodes += [
            helper.make_node("Concat", ["inputs", linear], [flat], axis=0),
            helper.make_node("Unsqueeze", [flat, "nought_axis"], [row]),
            tree_node(head.trees, row, out),
            helper.make_node("Squeeze", [out, "nought_axis"], [score]),
        ]
        found.append(score)
    return [*nodes, helper.make_node("Concat", found, ["tree_scores"], axis=0)]


def _term_nodes() -> list[Any]:
    """Return the sum of the weights of a prompt's terms, each as loud as `classifier.terms` says."""
    return [
        helper.make_node("Gather", ["weights_by_term", "term_ids"], ["term_rows"], axis=0),
        helper.make_node("MatMul", ["term_weights", "term_rows"], ["term_scores"]),
        helper.make_node("Add", ["dense_scores", "term_scores"], ["scores"]),
    ]


def _monotone(heads: int) -> list[Any]:
    """Return the running minimum from the top: no tier is enough with more certainty than a dearer one."""
    # One output per head needs no sizes; Split wants them where there is only one.
    raw = [f"raw_{head}" for head in range(heads)]
    nodes = [helper.make_node("Split", ["raw"], raw, axis=0)] if heads > 1 else []
    least = ["raw"] if heads == 1 else [raw[-1]]
    for head in range(heads - 2, -1, -1):
        least.insert(0, f"least_{head}")
        nodes.append(helper.make_node("Min", [raw[head], least[1]], [least[0]]))
    return [*nodes, helper.make_node("Concat", [*least, "certain"], ["sufficiency"], axis=0)]


def _bend_nodes(scores: str) -> list[Any]:
    """Return the bends of `training.calibration.Calibration`: knots and bends are [K-1, J]."""
    return [
        helper.make_node("Unsqueeze", [scores, "last"], ["scores_across"]),
        helper.make_node("Sub", ["scores_across", "knots"], ["beyond"]),
        helper.make_node("Relu", ["beyond"], ["above"]),
        helper.make_node("Mul", ["above", "bends"], ["bent"]),
        helper.make_node("ReduceSum", ["bent", "last"], ["bent_sum"], keepdims=0),
        helper.make_node("Add", ["straight", "bent_sum"], ["calibrated"]),
    ]


def _bends(heads: Sequence[Head]) -> dict[str, Any]:
    """Return knots and bends [K-1, J] of the heads, filled up with bends of nothing."""
    most = max(len(head.calibration.knots) for head in heads)
    if not most:
        return {}
    filled = [(0.0,) * (most - len(head.calibration.knots)) for head in heads]
    return {
        "knots": [[*head.calibration.knots, *more] for head, more in zip(heads, filled, strict=True)],
        "bends": [[*head.calibration.bends, *more] for head, more in zip(heads, filled, strict=True)],
    }


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
        **_bends(heads),
    }
    if heads[0].words is not None:
        per_head["weights_by_term"] = np.stack([np.asarray(head.words) for head in heads], axis=1)
    constants = [
        numpy_helper.from_array(np.asarray(v, dtype=np.float32), name) for name, v in per_head.items()
    ]
    whole = {"across": [1], "last": [1], "nought_axis": [0]}
    places = [numpy_helper.from_array(np.array(v, dtype=np.int64), name) for name, v in whole.items()]
    return [*constants, *places]
