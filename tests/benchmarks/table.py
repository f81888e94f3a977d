"""The short table for docs/performance.md: the figures that a person asks for first, from results.json."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.figures import short

START, END = "<!-- bench: written by tests.benchmarks --docs -->", "<!-- /bench -->"
PROXY_START = "<!-- bench-proxy: written by tests.benchmarks proxy --docs -->"
PROXY_END = "<!-- /bench-proxy -->"

# Of the parts with many figures, those whose names hold one of these words.
_SHOWN = {
    "classify": ("100 words",),
    "route": ("16 conn., asyncio",),
    "chat": ("16 conn., asyncio",),
    "proxy": ("100 tokens, 1 conn.", "100 tokens, 16 conn.", "2,000 tokens, 16 conn.", "command", "memory"),
}


def write(page: Path, results: Mapping[str, Any]) -> None:
    """Replace what stands between the page's two marks; raise ValueError where it lacks them.

    A run beside other proxies has marks of its own.
    """
    is_proxy = {figure["part"] for figure in results["figures"]} == {"proxy"}
    start, end = (PROXY_START, PROXY_END) if is_proxy else (START, END)
    text = page.read_text(encoding="utf-8")
    if start not in text or end not in text:
        raise ValueError(f"{page} lacks the line {start!r} or {end!r}. Put both where the table belongs.")
    before, after = text.split(start)[0], text.split(end)[1]
    page.write_text(f"{before}{start}\n{markdown(results)}{end}{after}", encoding="utf-8")


def markdown(results: Mapping[str, Any]) -> str:
    """Return the machine and the table."""
    machine = results["machine"]
    head = (
        f"Measured on {machine['measured_on']}: {machine['cpu']}, {machine['cores']} cores, "
        f"Python {machine['python']}, {machine['system'].split('-')[0]}.\n\n"
        "| Part | Figure | Median | Least – most | Beside it | Ratio | Wanted |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    return head + "".join(_row(figure) for figure in results["figures"] if _is_shown(figure))


def _is_shown(figure: Mapping[str, Any]) -> bool:
    words = _SHOWN.get(figure["part"])
    return figure["at_most"] is not None or words is None or any(word in figure["name"] for word in words)


def _row(figure: Mapping[str, Any]) -> str:
    values, beside = figure["values"], sorted(figure["beside_values"])
    wanted = figure["at_most"]
    cells = (
        figure["part"],
        figure["name"],
        f"{short(figure['median'])} {figure['unit']}",
        f"{short(min(values))} – {short(max(values))}",
        f"{figure['beside']} {short(beside[len(beside) // 2])}" if beside else "",
        short(figure["ratio"]) if figure["ratio"] else "",
        "" if wanted is None else f"≤ {short(wanted)}{'' if figure['median'] <= wanted else ', MISSED'}",
    )
    return f"| {' | '.join(cells)} |\n"
