"""Trees on top of a linear head: node for node the same in ONNX, and taken only where they are better."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from training.trees import DOMAIN, below, fit_trees, tree_node, with_score


def grown(rows=600, seed=3, bins=0):
    """An answer that only two columns together give, which no sum of weights can say."""
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(rows, 4)).astype(np.float32)
    answer = ((inputs[:, 0] > 0) ^ (inputs[:, 1] > 0)).astype(np.float64)
    columns = with_score(inputs, draw.normal(size=rows))
    return columns, answer, fit_trees(columns, answer, np.ones(rows), trees=40, seed=1, bins=bins)


def session_of(model, width):
    graph = helper.make_graph(
        [tree_node(model, "row", "score")],
        "trees",
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 3)]
    whole = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(whole)
    return onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("bins", [0, 16, 64])
def test_the_graph_says_what_scikit_learn_says_row_for_row(bins):
    columns, _, model = grown(bins=bins)
    found = session_of(model, columns.shape[1]).run(None, {"row": columns})[0][:, 0]
    assert found == pytest.approx(model.decision_function(columns), abs=1e-5)


@pytest.mark.parametrize("bins", [0, 64])
def test_trees_find_what_two_columns_say_together(bins):
    *_, model = grown(bins=bins)
    fresh, truth, _ = grown(seed=4)
    assert np.mean((model.decision_function(fresh) > 0) == (truth > 0.5)) > 0.85


def test_columns_of_few_values_are_parted_between_them():
    draw = np.random.default_rng(5)
    columns = draw.integers(0, 3, size=(300, 2)).astype(np.float32)
    answer = (columns[:, 0] > 1).astype(np.float64)
    model = fit_trees(columns, answer, np.ones(300), trees=30, seed=1, bins=64)
    assert np.array_equal(model.decision_function(columns) > 0, answer > 0.5)


@given(st.floats(-(2.0**90), 2.0**90), st.floats(-(2.0**90), 2.0**90, width=32))
def test_a_threshold_in_the_graph_parts_the_same_numbers(threshold, value):
    assert (value <= threshold) == (np.float32(value) <= np.float32(below(threshold)))
