"""Boosted trees on top of a linear head: what bends and meets in ways that a sum of weights cannot say.

They see the embedding, the features and the linear head's own score, which knows the tokens (Wolpert,
"Stacked generalization", 1992). Written as ONNX's tree ensemble, node for node.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.calibration import yes_and_no

Numbers = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

DOMAIN = "ai.onnx.ml"
_LEARNING_RATE = 0.06
_LEAVES = 12
_LEAST_ROWS = 25


def with_score(inputs: Matrix, scores: Numbers) -> Matrix:
    """Return the inputs [N, W] with the linear score as their last column, float32 as in the graph."""
    return np.hstack([inputs, scores[:, None].astype(np.float32)])


def fit_trees(columns: Matrix, target: Numbers, weight: Numbers, trees: int, seed: int, bins: int = 0) -> Any:
    """Fit so many trees; targets may lie between 0 and 1. Each split sees a third of the columns.

    They split between so many `bins` of each column, or between scikit-learn's own where that is 0.
    """
    if bins:
        return _fit_on_bins(columns, target, weight, trees, seed, bins)
    places, said, shares = yes_and_no(target, weight)
    model = HistGradientBoostingClassifier(
        learning_rate=_LEARNING_RATE,
        max_iter=trees,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=_LEAST_ROWS,
        l2_regularization=3.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):
        return model.fit(columns[places], said, sample_weight=shares)


def _fit_on_bins(columns: Matrix, target: Numbers, weight: Numbers, trees: int, seed: int, bins: int) -> Any:
    """Fit on the numbers of bins, then put each bin's edge where its number stood.

    scikit-learn places its own bins by weight, one quantile of one column at a time: most of a fit's time.
    """
    edges = np.quantile(columns, np.linspace(0.0, 1.0, bins + 1)[1:-1], axis=0, method="lower").T
    numbers = np.stack(
        [np.searchsorted(np.unique(edge), column) for edge, column in zip(edges, columns.T, strict=True)],
        axis=1,
    ).astype(np.float32)
    model = fit_trees(numbers, target, weight, trees, seed)
    for (predictor,) in model._predictors:
        for node in predictor.nodes:
            if not node["is_leaf"]:
                # bins up to this one hold what is not above its edge
                edge = np.unique(edges[int(node["feature_idx"])])
                node["num_threshold"] = edge[int(node["num_threshold"])]
    return model


def tree_node(model: Any, inputs: str, output: str) -> Any:
    """Return the node that adds up the trees of one head: inputs [1, W] → output [1, 1]."""
    nodes: dict[str, list[Any]] = {
        name: [] for name in ("treeids", "nodeids", "featureids", "values", "modes", "true", "false")
    }
    leaves: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "weights": []}
    for tree, (predictor,) in enumerate(model._predictors):
        for place, node in enumerate(predictor.nodes):
            is_leaf = bool(node["is_leaf"])
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(place)
            nodes["featureids"].append(0 if is_leaf else int(node["feature_idx"]))
            nodes["values"].append(0.0 if is_leaf else below(float(node["num_threshold"])))
            nodes["modes"].append("LEAF" if is_leaf else "BRANCH_LEQ")
            nodes["true"].append(0 if is_leaf else int(node["left"]))
            nodes["false"].append(0 if is_leaf else int(node["right"]))
            if is_leaf:
                leaves["treeids"].append(tree)
                leaves["nodeids"].append(place)
                leaves["weights"].append(float(node["value"]))
    return helper.make_node(
        "TreeEnsembleRegressor",
        [inputs],
        [output],
        domain=DOMAIN,
        n_targets=1,
        base_values=[float(model._baseline_prediction[0, 0])],
        nodes_treeids=nodes["treeids"],
        nodes_nodeids=nodes["nodeids"],
        nodes_featureids=nodes["featureids"],
        nodes_values=nodes["values"],
        nodes_modes=nodes["modes"],
        nodes_truenodeids=nodes["true"],
        nodes_falsenodeids=nodes["false"],
        target_treeids=leaves["treeids"],
        target_nodeids=leaves["nodeids"],
        target_ids=[0] * len(leaves["treeids"]),
        target_weights=leaves["weights"],
    )


def below(threshold: float) -> float:
    """Return the largest float32 that is not above a threshold: x ≤ one is then x ≤ the other, for float32 x.

    >>> below(0.1) <= 0.1, below(0.5)
    (True, 0.5)
    """
    rounded = np.float32(threshold)
    if float(rounded) > threshold:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)
