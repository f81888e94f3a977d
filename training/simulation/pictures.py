"""A simulation as pictures: cost against quality, the area on the new tasks, the sum in dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from training.plots import COLOURS, svg
from training.simulation.measures import ALL, NEW

# Where an arm's line goes from the start: a figure of one stage.
_Point = Mapping[str, float]


def pictures(report: Mapping[str, Any]) -> dict[str, str]:
    """Return SVG by file name."""
    return {
        "cost-quality.svg": svg(cost_and_quality(report, ALL)),
        "cost-quality-new.svg": svg(cost_and_quality(report, NEW)),
        "area-new.svg": svg(area_by_answers(report)),
        "total.svg": svg(total_by_answers(report)),
    }


def cost_and_quality(report: Mapping[str, Any], part: str) -> Figure:
    """Return where each arm goes from the common start, by dollars and quality on fresh prompts."""
    figure, axes = _axes("dollars per 1,000 fresh prompts", f"quality, {part}")
    for colour, (arm, points) in zip(COLOURS, _courses(report, lambda one: one["parts"][part]), strict=False):
        across = [point["usd_per_1000"]["value"] for point in points]
        up = [point["quality"]["value"] for point in points]
        axes.plot(across, up, color=colour, marker="o", markersize=4, label=arm)
        axes.annotate(f"{_answers(report)[-1]:,}", (across[-1], up[-1]), color=colour, fontsize=8)
    axes.legend(frameon=False)
    return figure


def area_by_answers(report: Mapping[str, Any]) -> Figure:
    """Return the area recovered on the new tasks together, as answers come in, with its interval."""
    figure, axes = _axes("answers so far", "area recovered on the new tasks")
    for place, (arm, points) in enumerate(_courses(report, lambda one: one["areas"]["together"])):
        if all(points):
            _with_interval(axes, report, arm, points, place)
    axes.axhline(0.5, color="#999999", linestyle="--", linewidth=1)
    axes.legend(frameon=False)
    return figure


def total_by_answers(report: Mapping[str, Any]) -> Figure:
    """Return what fresh prompts cost with the quality that is lost, as answers come in."""
    figure, axes = _axes("answers so far", "dollars per 1,000 with lost quality")
    courses = _courses(report, lambda one: one["parts"][ALL]["total_usd_per_1000"])
    for place, (arm, points) in enumerate(courses):
        _with_interval(axes, report, arm, points, place)
    axes.legend(frameon=False)
    return figure


def _with_interval(
    axes: Any, report: Mapping[str, Any], arm: str, points: Sequence[_Point], place: int
) -> None:
    # side by side, so that intervals do not hide each other
    answers = [0, *_answers(report)]
    at = [one + (place - 1.5) * answers[-1] / 150 for one in answers]
    values = [point["value"] for point in points]
    below = [point["value"] - point["low"] for point in points]
    above = [point["high"] - point["value"] for point in points]
    axes.errorbar(
        at, values, yerr=[below, above], color=COLOURS[place], marker="o", markersize=4, capsize=2, label=arm
    )


def _courses(report: Mapping[str, Any], of: Any) -> list[tuple[str, list[Any]]]:
    """Return a figure of each arm at the start and after each stage."""
    return [
        (arm, [of(report["start"]), *(of(stage["after"]) for stage in found["stages"])])
        for arm, found in report["arms"].items()
    ]


def _answers(report: Mapping[str, Any]) -> list[int]:
    found: list[int] = report["plan"]["answers"]
    return found


def _axes(across: str, up: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
