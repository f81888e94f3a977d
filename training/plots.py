"""The report as pictures: SVG text, the same bytes for the same figures and libraries."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from training.curves import Curve

# Colours that stay apart in grey and for the colour-blind (Okabe and Ito 2008).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# A curve over thousands of rows looks the same with so many points.
_POINTS = 150
_STYLE: dict[Any, Any] = {"svg.hashsalt": "weighbridge", "svg.fonttype": "none"}


def reliability_diagram(heads: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return promise against frequency, one line per head; `heads` holds bins of baselines.reliability."""
    figure, axes = _axes("promised that the tier is enough", "it was enough")
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="kept promises")
    for colour, (tier, bins) in zip(COLOURS, heads.items(), strict=False):
        promised, happened = [b["promised"] for b in bins], [b["happened"] for b in bins]
        axes.plot(promised, happened, color=colour, label=f"is {tier} enough?")
        most = max(b["rows"] for b in bins)
        axes.scatter(promised, happened, s=[8 + 60 * b["rows"] / most for b in bins], color=colour)
    axes.legend(frameon=False)
    return svg(figure)


def cost_quality(curves: Mapping[str, Curve]) -> str:
    """Return the gap recovered against the share of strong calls, one line per router."""
    figure, axes = _axes("share of prompts sent to the stronger tier", "performance gap recovered")
    for place, (name, curve) in enumerate(curves.items()):
        shown = np.unique(np.linspace(0, len(curve.recovered) - 1, _POINTS).astype(int))
        axes.plot(
            curve.strong_share[shown],
            curve.recovered[shown],
            color=COLOURS[place % len(COLOURS)],
            label=f"{name} ({curve.area:.3f})",
            linewidth=2.2 if place == 0 else 1.2,
        )
    axes.legend(frameon=False, title="area recovered")
    return svg(figure)


def bars(shares: Mapping[str, Mapping[str, Any]], title: str) -> str:
    """Return one bar per name from 0 to 1, with its interval; a figure is {"value", "low", "high"}.

    Names without a value are left out; "low" and "high" may be absent.
    """
    found = {name: one for name, one in shares.items() if one["value"] is not None}
    figure = Figure(figsize=(7, 1.2 + 0.32 * len(found)), layout="constrained")
    axes = figure.add_subplot()
    values = [one["value"] for one in found.values()]
    below = [one["value"] - one.get("low", one["value"]) for one in found.values()]
    above = [one.get("high", one["value"]) - one["value"] for one in found.values()]
    axes.barh(list(found), values, color=COLOURS[0], xerr=[below, above], ecolor="#333333", capsize=2)
    axes.set(xlim=(0, 1), title=title)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def grouped_bars(table: Mapping[str, Mapping[str, float | None]], title: str) -> str:
    """Return bars for each name (outer) side by side in each figure (inner): recall, under-, over-routed."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    labels = list(next(iter(table.values())))
    width = 0.8 / len(table)
    for place, (name, found) in enumerate(table.items()):
        at = [column + (place - (len(table) - 1) / 2) * width for column in range(len(labels))]
        heights = [found[label] or 0.0 for label in labels]
        axes.bar(at, heights, width, color=COLOURS[place % len(COLOURS)], label=name)
    axes.set(ylim=(0, 1), title=title)
    axes.set_xticks(range(len(labels)), labels)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, loc="outside right upper")
    return svg(figure)


def _axes(across: str, up: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def svg(figure: Figure) -> str:
    """Return a figure as SVG text."""
    text = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()
