"""Distils a sentence-transformers model into one vector per token, and writes the lookup as an ONNX graph.

The recipe is model2vec's: every token through the model alone, PCA, weights by assumed frequency (Zipf, SIF).
It is done here because `model2vec[distill]` holds tokenizers and transformers below what serving uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from tqdm import tqdm

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OPSET = 17
IR_VERSION = 9
_BATCH_TOKENS = 512


@dataclass(frozen=True, slots=True)
class StaticTable:
    """One vector per token id: int8 values [V, D] times a scale per token [V]."""

    values: npt.NDArray[np.int8]
    scales: npt.NDArray[np.float32]

    def vectors(self) -> npt.NDArray[np.float32]:
        """Return the vectors as the graph sees them."""
        return self.values.astype(np.float32) * self.scales[:, None]


def distil(source: SentenceTransformer, dimensions: int, sif: float) -> npt.NDArray[np.float32]:
    """Return a vector per token id, float32 [V, dimensions], the frequent tokens scaled down."""
    contextual = _one_by_one(source)
    centred = contextual - contextual.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    reduced = centred @ directions[:, ::-1][:, :dimensions]
    return np.asarray(reduced * _rarity(len(reduced), sif)[:, None], dtype=np.float32)


def quantise(vectors: npt.NDArray[np.float32]) -> StaticTable:
    """Round each vector to 8 bits on a scale of its own.

    >>> quantise(np.array([[1.27, -0.01], [0.0, 0.0]], dtype=np.float32)).values.tolist()
    [[127, -1], [0, 0]]
    """
    largest = np.abs(vectors).max(axis=1)
    scales = np.where(largest > 0.0, largest / 127.0, 1.0).astype(np.float32)
    return StaticTable(np.rint(vectors / scales[:, None]).astype(np.int8), scales)


def static_graph(table: StaticTable) -> Any:
    """Return the lookup as ONNX: token_ids [T], token_weights [T] → embedding [D] of length 1."""
    nodes = [
        helper.make_node("Gather", ["table", "token_ids"], ["rows_int8"], axis=0),
        helper.make_node("Cast", ["rows_int8"], ["rows"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "token_ids"], ["row_scales"], axis=0),
        helper.make_node("Mul", ["row_scales", "token_weights"], ["row_weights"]),
        helper.make_node("Unsqueeze", ["row_weights", "first_axis"], ["row_weights_2d"]),
        helper.make_node("MatMul", ["row_weights_2d", "rows"], ["sum_2d"]),
        helper.make_node("Squeeze", ["sum_2d", "first_axis"], ["sum"]),
        helper.make_node("ReduceL2", ["sum"], ["norm"], axes=[0], keepdims=1),
        helper.make_node("Max", ["norm", "smallest_norm"], ["safe_norm"]),
        helper.make_node("Div", ["sum", "safe_norm"], ["embedding"]),
    ]
    constants = [
        numpy_helper.from_array(table.values, "table"),
        numpy_helper.from_array(table.scales, "scales"),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "first_axis"),
        numpy_helper.from_array(np.array([1e-12], dtype=np.float32), "smallest_norm"),
    ]
    inputs = [
        helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["tokens"]),
        helper.make_tensor_value_info("token_weights", TensorProto.FLOAT, ["tokens"]),
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [table.values.shape[1]])]
    graph = helper.make_graph(nodes, "static_encoder", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _one_by_one(source: SentenceTransformer) -> npt.NDArray[np.float64]:
    """Pass every token through the model, framed by its special tokens, and average the outputs."""
    import torch  # noqa: PLC0415  # seconds, and whoever keeps an encoder needs none of it

    model, tokenizer = source[0].auto_model, source.tokenizer
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    means = []
    with torch.inference_mode():
        for start in tqdm(range(0, len(tokenizer), _BATCH_TOKENS), "distilling", leave=False, disable=None):
            ids = torch.arange(start, min(start + _BATCH_TOKENS, len(tokenizer)))
            framed = torch.stack([torch.full_like(ids, first), ids, torch.full_like(ids, last)], dim=1)
            found = model(input_ids=framed, attention_mask=torch.ones_like(framed)).last_hidden_state
            means.append(found.mean(dim=1).numpy())
    return np.concatenate(means).astype(np.float64)


def _rarity(tokens: int, sif: float) -> npt.NDArray[np.float64]:
    """Return a weight per token: vocabularies are in order of frequency, which falls as 1 / rank (Zipf).

    Smooth inverse frequency: Arora, Liang, Ma, "A simple but tough-to-beat baseline …", ICLR 2017.
    """
    frequency = 1.0 / np.arange(2, tokens + 2)
    return np.asarray(sif / (sif + frequency / frequency.sum()), dtype=np.float64)
