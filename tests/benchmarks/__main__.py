"""Runs the parts one after another, prints each figure as it comes, and keeps them all in results.json."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import time
from pathlib import Path

from tests.benchmarks import machine, soak, table
from tests.benchmarks.figures import Figure, heading
from tests.benchmarks.plan import ROOT, Plan, Skipped

PARTS = ("classify", "decide", "route", "chat", "start", "memory", "score", "install")
ON_REQUEST = ("proxy", "retrain", "swap")


def main() -> int:
    """Measure the parts that were asked for; 1 where one failed, 0 otherwise, missed bars included."""
    asked = _arguments()
    if asked.parts == ["soak"]:
        return soak.run(asked.minutes)
    plan = _plan(asked)
    plan.build.mkdir(parents=True, exist_ok=True)
    # so that what was started is stopped, also when this is told to stop
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    here = machine.describe()
    print(
        f"{here['cpu']} · {here['cores']} cores · Python {here['python']} · {here['system']} · "
        f"load {here['load_average']} · slowest tenth of identical work ×{here['noise']}"
    )
    print(f"each figure {plan.repeats} times, interleaved with what stands beside it")
    figures: list[Figure] = []
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    for part in asked.parts or PARTS:
        _run(part, plan, figures, skipped, failed)
    results = plan.build / "results.json"
    found = {
        "machine": here,
        "figures": [figure.as_dict() for figure in figures],
        "skipped": skipped,
        "failed": failed,
    }
    results.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if asked.docs and figures:
        table.write(ROOT / "docs" / "performance.md", found)
    missed = [figure for figure in figures if figure.verdict.endswith("MISSED")]
    print(f"\n{len(figures)} figures, {len(missed)} MISSED, {len(skipped)} parts skipped → {_shown(results)}")
    return 1 if failed else 0


def _run(
    part: str, plan: Plan, figures: list[Figure], skipped: dict[str, str], failed: dict[str, str]
) -> None:
    print(f"\n{part}\n{heading()}", flush=True)
    started = time.monotonic()
    try:
        for found in importlib.import_module(f"tests.benchmarks.{part}").measure(plan):
            if isinstance(found, Figure):
                figures.append(found)
                print(found.as_row(), flush=True)
            else:
                skipped[f"{part}, in part"] = found
                print(f"  {found}", flush=True)
    except Skipped as reason:
        skipped[part] = str(reason)
        print(f"  skipped: {reason}")
    except Exception as error:
        # one broken part must not cost the figures of the others
        failed[part] = f"{type(error).__name__}: {error}"
        print(f"  FAILED: {failed[part]}")
    load = machine.load_average()
    print(f"  ({time.monotonic() - started:.0f} s, load {load} at the end)", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"any of {', '.join((*PARTS, *ON_REQUEST))} or soak; default: {', '.join(PARTS)}",
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to soak")
    parser.add_argument("--quick", action="store_true", help="a minute instead of six, with more noise")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench", help="where results go")
    parser.add_argument("--docs", action="store_true", help="put the short table into docs/performance.md")
    asked = parser.parse_args()
    if asked.parts != ["soak"] and (unknown := set(asked.parts) - {*PARTS, *ON_REQUEST}):
        parser.error(
            f"no part is called {', '.join(sorted(unknown))}. Known: {', '.join((*PARTS, *ON_REQUEST))}."
        )
    return asked


def _plan(asked: argparse.Namespace) -> Plan:
    seconds = 0.3 if asked.quick else 1.0
    return Plan(repeats=3, seconds=seconds, is_quick=asked.quick, build=asked.output.resolve())


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
