"""The honest report as a person reads it: the classifier beside its baselines, as text or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Table = list[list[str]]


def as_terminal(report: Mapping[str, Any]) -> str:
    """Return the report as aligned lines; `report` is what `baselines.compare` returns, with more beside it.

    Where they are there: "robustness" {kind: share} and "attacks" {"total", "direction", "family"}.
    """
    parts = [f"{report['rows']:,} rows", _aligned(_figures(report)), _aligned(_heads(report))]
    parts += ["Classifier against each baseline (95 % intervals)", _aligned(_against(report))]
    parts += [part for title, table in _probes(report) for part in (title, _aligned(table))]
    return "\n\n".join(parts) + "\n"


def as_markdown(report: Mapping[str, Any]) -> str:
    """Return the same tables as Markdown, for the card."""
    parts = [_piped(_figures(report)), _piped(_heads(report)), _piped(_against(report))]
    parts += [part for title, table in _probes(report) for part in (f"{title}.", _piped(table))]
    return "\n\n".join(parts) + "\n"


def _figures(report: Mapping[str, Any]) -> Table:
    tiers = report["tiers"]
    head = ["", "accuracy", *(f"recall {tier}" for tier in tiers), "under-routed", "over-routed"]
    rows = [[*head, f"{tiers[-1]} to {tiers[0]}"]]
    for name, found in report["table"].items():
        shares = [found["accuracy"], *(found["recall"][tier] for tier in tiers)]
        shares += [found["under_routed"], found["over_routed"], found["top_to_bottom"]]
        rows.append([name, *(_percent(share) for share in shares)])
    return rows


def _heads(report: Mapping[str, Any]) -> Table:
    rows = [["is it enough?", "", "Brier", "calibration error", "area recovered", "CPT(50 %)", "CPT(80 %)"]]
    for tier in report["tiers"][:-1]:
        for name, found in report["table"].items():
            head = found["heads"][tier]
            numbers = [_number(head[key]) for key in ("brier", "ece", "area")]
            rows.append([tier, name, *numbers, _percent(head["cpt50"]), _percent(head["cpt80"])])
    return rows


def _against(report: Mapping[str, Any]) -> Table:
    """Return one row per figure and baseline: the only place where the report says "better"."""
    rows = [["figure", "classifier", "baseline", "difference", "said"]]
    for figure, own in report["intervals"].items():
        for name, found in report["against"].items():
            if figure in found:
                gap = found[figure]
                label = figure.replace("_", "-")
                rows.append([label, _interval(own), name, _interval(gap, signed=True), gap["said"]])
    return rows


def _probes(report: Mapping[str, Any]) -> list[tuple[str, Table]]:
    """Return the tables of robustness and of attacks, each where it was measured."""
    found = []
    if report.get("robustness"):
        rows = [[kind, str(one["rows"]), _interval(one)] for kind, one in report["robustness"].items()]
        found.append(("Prompts that keep their tier", [["perturbation", "prompts", "kept"], *rows]))
    if report.get("attacks"):
        attacks = report["attacks"]
        named = {"all": attacks["total"], **attacks["direction"], **attacks["family"]}
        rows = [[name, str(one["attacks"]), _interval(one)] for name, one in named.items()]
        found.append(("Attacks that move the tier their way", [["attack", "number", "succeeded"], *rows]))
    return found


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(found: Mapping[str, Any], *, signed: bool = False) -> str:
    """Return a figure with its bounds.

    >>> _interval({"value": 0.5, "low": 0.4, "high": 0.6})
    '0.500 [0.400, 0.600]'
    """
    if found["value"] is None:
        return "-"
    sign = "+" if signed else ""
    return f"{found['value']:{sign}.3f} [{found['low']:{sign}.3f}, {found['high']:{sign}.3f}]"


def _aligned(table: Sequence[Sequence[str]]) -> str:
    """Return a table in columns, words to the left and figures to the right.

    >>> print(_aligned([["a", "n"], ["long", "10"]]))
    a      n
    long  10
    """
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    right = [_is_figures(column[1:]) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in table
    ]
    return "\n".join(lines)


def _piped(table: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(table[0])
    return "\n".join(f"| {' | '.join(row)} |" for row in [table[0], rule, *table[1:]])


def _is_figures(cells: Sequence[str]) -> bool:
    return all(cell[:1].isdigit() or cell[:1] in "+-" for cell in cells)
