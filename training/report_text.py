"""The honest report as a person reads it: the classifier beside its baselines, as text or Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.areas import above

Table = list[list[str]]

_BY_TASK = {
    "left_out": "task left out",
    "in_domain": "in domain",
    "own_labels": "own labels",
    "source_out": "source left out",
    "corpus": "corpus alone",
    "length": "length",
    "task_table": "task table",
}
_SAID = {"left_out": "with the task left out", "in_domain": "in domain", "own_labels": "by its own labels"}
_BY_SOURCE = {"source_out": "source left out", "length": "length", "task_table": "task table"}


def as_terminal(report: Mapping[str, Any]) -> str:
    """Return the report as aligned lines; `report` is what `baselines.compare` returns, with more beside it.

    Where they are there: "robustness" {kind: share}, "attacks" {"total", "direction", "family"}, "candidates"
    {name: {tier: figures}}, "by" {"language": {name: figures}}, "left_out" {source: {task: areas}},
    "source_out" {source: areas}.
    """
    title = f"{report['rows']:,} rows, each weighed by an artifact that had not seen it"
    parts = [title, _aligned(_figures(report)), _aligned(_heads(report))]
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
        rows.append([name, *(percent(share) for share in shares)])
    return rows


def _heads(report: Mapping[str, Any]) -> Table:
    rows = [["is it enough?", "", "Brier", "calibration error", "area recovered", "CPT(50 %)", "CPT(80 %)"]]
    for tier in report["tiers"][:-1]:
        for name, found in report["table"].items():
            head = found["heads"][tier]
            numbers = [_number(head[key]) for key in ("brier", "ece", "area")]
            rows.append([tier, name, *numbers, percent(head["cpt50"]), percent(head["cpt80"])])
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
    """Return the tables of robustness, attacks, candidates and parts, each where it was measured."""
    found = []
    if report.get("robustness"):
        rows = [[kind, str(one["rows"]), _interval(one)] for kind, one in report["robustness"].items()]
        found.append(("Prompts that keep their tier", [["perturbation", "prompts", "kept"], *rows]))
    if report.get("attacks"):
        attacks = report["attacks"]
        named = {"all": attacks["total"], **attacks["direction"], **attacks["family"]}
        rows = [[name, str(one["attacks"]), _interval(one)] for name, one in named.items()]
        found.append(("Attacks that move the tier their way", [["attack", "number", "succeeded"], *rows]))
    if any(report.get("calibration_losses", {}).values()):
        found.append(("Calibration: log loss on held-out scores (chosen: *)", _calibrations(report)))
    if report.get("candidates"):
        found.append(("Candidates for the heads, by the same folds", _candidates(report)))
    if report.get("by", {}).get("language"):
        found.append(("By language", _languages(report["by"]["language"])))
    for name, areas in report.get("left_out", {}).items():
        judged = {task: one for task, one in areas.items() if one["in_domain"] is not None}
        for ranking, words in _SAID.items():
            name += f"; {words} {above(judged, ranking, 'length')} tasks"
        found.append((f"Area recovered on {name}", _areas(areas, _BY_TASK)))
    if report.get("source_out"):
        title = "Area recovered on each source by what was fitted without it"
        found.append((title, _areas(report["source_out"], _BY_SOURCE)))
    return found


def _calibrations(report: Mapping[str, Any]) -> Table:
    losses = {tier: found for tier, found in report["calibration_losses"].items() if found}
    kinds = list(next(iter(losses.values())))
    rows = [
        [tier, *(f"{found[kind]:.4f}{'*' if report['calibrations'][tier] == kind else ''}" for kind in kinds)]
        for tier, found in losses.items()
    ]
    return [["head", *kinds], *rows]


def _candidates(report: Mapping[str, Any]) -> Table:
    tiers = report["tiers"][:-1]
    head = [f"{figure} {tier}" for tier in tiers for figure in ("AUC", "log loss")]
    rows = [
        [name, *(_number(found[tier][key]) for tier in tiers for key in ("auc", "log_loss"))]
        for name, found in report["candidates"].items()
    ]
    return [["candidate", *head], *rows]


def _languages(by: Mapping[str, Any]) -> Table:
    baselines = list(next(iter(by.values()))["beside"])
    rows = [["language", "rows", "accuracy", *baselines, "under-routed", "over-routed"]]
    for name, one in sorted(by.items(), key=lambda item: -item[1]["rows"]):
        beside = [percent(one["beside"][other]) for other in baselines]
        routed = [percent(one[key]) for key in ("under_routed", "over_routed")]
        rows.append([name, str(one["rows"]), _interval(one["accuracy_interval"]), *beside, *routed])
    return rows


def _areas(found: Mapping[str, Mapping[str, Any]], rankings: Mapping[str, str]) -> Table:
    """Return a row per part: each ranking with its interval, the baselines, and what is said of the first."""
    first = next(iter(rankings))
    baselines = list(next(iter(found.values()))["against"])
    said = [f"{rankings[first]} against {name.replace('_', ' ')}" for name in baselines]
    rows = [["part", "prompts", *rankings.values(), "random, always one", *said]]
    for part, one in found.items():
        cells = [_area(one, name) for name in rankings]
        judged = [one["against"][name].get(first, {}).get("said", "-") for name in baselines]
        rows.append([part, str(one["rows"]), *cells, _number(one["random"]), *judged])
    return rows


def _area(one: Mapping[str, Any], name: str) -> str:
    bounds = one["intervals"].get(name)
    return _interval(bounds) if bounds else _number(one[name])


def percent(share: float | None) -> str:
    """Return a share for a person.

    >>> percent(0.123), percent(None)
    ('12.3%', '-')
    """
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
