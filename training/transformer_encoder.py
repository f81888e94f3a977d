"""Writes a whole sentence-transformers model as an int8 ONNX graph: the second encoder, slower."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import SentenceTransformer

from training.static_encoder import IR_VERSION, OPSET


class _MeanPooled(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The model with its tokens averaged, taking two positional tensors: what the exporter can trace."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the mean over the tokens that the mask lets through, of length 1: [1, D]."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
        return torch.nn.functional.normalize(mean, dim=1)


def transformer_graph(source: SentenceTransformer) -> Any:
    """Return the model as ONNX with int8 weights: input_ids, attention_mask [1, T] → embedding [D]."""
    with tempfile.TemporaryDirectory() as folder:
        full, small = Path(folder, "full.onnx"), Path(folder, "int8.onnx")
        _export(source, full)
        logging.getLogger().setLevel(
            logging.ERROR
        )  # the quantiser advises a pre-processing that changes nothing here
        quantize_dynamic(full, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        model = onnx.load(small)
    flat = helper.make_node("Squeeze", ["embedding_2d", "first_axis"], ["embedding"])
    model.graph.node.append(flat)
    model.graph.initializer.append(helper.make_tensor("first_axis", TensorProto.INT64, [1], [0]))
    del model.graph.output[:]
    dimensions = source.get_embedding_dimension()
    model.graph.output.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [dimensions]))
    model.ir_version = IR_VERSION
    return model


@contextmanager
def _unadvised() -> Iterator[None]:
    """Keep quiet the quantiser, which advises a pre-processing that changes nothing here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _export(source: SentenceTransformer, file: Path) -> None:
    wrapped = _MeanPooled(source[0].auto_model).eval()
    example = torch.ones((1, 4), dtype=torch.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is deprecated; the new one needs onnxscript
        torch.onnx.export(
            wrapped,
            (example, example),
            str(file),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding_2d"],
            dynamic_axes={"input_ids": {1: "tokens"}, "attention_mask": {1: "tokens"}},
            opset_version=OPSET,
            dynamo=False,
        )
