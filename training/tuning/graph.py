"""The student as plain ONNX operators: token_ids [T] → embedding [HIDDEN], its table in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.static_encoder import IR_VERSION, OPSET, quantise
from training.tuning.student import HIDDEN, KERNEL, Student


def student_graph(student: Student) -> Any:
    """Return the student's `embed` for one row without padding, as a checked model."""
    nodes = [*_looked_up(), *_convolved(len(student.convolutions)), *_pooled(len(student.convolutions))]
    inputs = [helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["tokens"])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [HIDDEN])]
    graph = helper.make_graph(nodes, "tuned_encoder", inputs, outputs, _constants(student))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _looked_up() -> list[Any]:
    return [
        helper.make_node("Gather", ["table", "token_ids"], ["rows_int8"], axis=0),
        helper.make_node("Cast", ["rows_int8"], ["rows"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["scales", "token_ids"], ["row_scales"], axis=0),
        helper.make_node("Unsqueeze", ["row_scales", "last_axis"], ["row_scales_2d"]),
        helper.make_node("Mul", ["rows", "row_scales_2d"], ["vectors"]),
        helper.make_node("Transpose", ["vectors"], ["across"], perm=[1, 0]),
        helper.make_node("Unsqueeze", ["across", "first_axis"], ["layer_0"]),
    ]


def _convolved(layers: int) -> list[Any]:
    nodes = []
    for layer in range(layers):
        around = KERNEL // 2
        nodes += [
            helper.make_node(
                "Conv",
                [f"layer_{layer}", f"kernel_{layer}", f"bias_{layer}"],
                [f"seen_{layer}"],
                pads=[around, around],
            ),
            helper.make_node("Relu", [f"seen_{layer}"], [f"kept_{layer}"]),
            helper.make_node("Add", [f"layer_{layer}", f"kept_{layer}"], [f"layer_{layer + 1}"]),
        ]
    return nodes


def _pooled(layers: int) -> list[Any]:
    last = f"layer_{layers}"
    return [
        helper.make_node("Squeeze", [last, "first_axis"], ["found"]),
        helper.make_node("MatMul", ["attention", "found"], ["loudness"]),
        helper.make_node("Softmax", ["loudness"], ["attended"], axis=1),
        helper.make_node("Transpose", ["attended"], ["attended_down"], perm=[1, 0]),
        helper.make_node("ReduceMax", ["found"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["found", "attended_down"], ["loudest"]),
        helper.make_node("ReduceMean", ["across"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["largest", "loudest", "mean"], ["pooled"], axis=0),
        helper.make_node("MatMul", ["hidden", "pooled"], ["weighed"]),
        helper.make_node("Squeeze", ["weighed", "last_axis"], ["weighed_1d"]),
        helper.make_node("Add", ["weighed_1d", "hidden_bias"], ["shifted"]),
        helper.make_node("Relu", ["shifted"], ["embedding"]),
    ]


def _constants(student: Student) -> list[Any]:
    table = quantise(student.table.weight.detach().numpy())
    found = {
        "table": table.values,
        "scales": table.scales,
        "attention": student.attention.weight.detach().numpy(),
        "hidden": student.hidden.weight.detach().numpy(),
        "hidden_bias": student.hidden.bias.detach().numpy(),
        "first_axis": np.array([0], dtype=np.int64),
        "last_axis": np.array([1], dtype=np.int64),
    }
    for layer, convolution in enumerate(student.convolutions):
        found[f"kernel_{layer}"] = convolution.weight.detach().numpy()
        found[f"bias_{layer}"] = convolution.bias.detach().numpy()
    return [numpy_helper.from_array(value, name) for name, value in found.items()]
