"""What a simulation came to: report.json for a program, report.txt for a person, pictures for the eye."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.simulation.measures import ALL, NEW, OTHER, Yardstick, measured, yardstick
from training.simulation.pictures import pictures
from training.simulation.plan import ARMS, Plan
from training.simulation.world import World

REPORT = "report.json"
REPORT_TEXT = "report.txt"
_WAYS = {"never": "retraining nothing", "before": "its own champion before"}


def report_of(
    plan: Plan, world: World, arms: Sequence[Mapping[str, Any]], usd_per_lost_quality: float
) -> dict[str, Any]:
    """Return every figure of a simulation; `arms` are what `arms.run_arm` returns."""
    stick = yardstick(world.fresh, usd_per_lost_quality, plan.tiers)
    never = next((arm for arm in arms if arm["arm"] == "never"), None)
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "plan": plan.as_dict(),
        "world": {
            name: dict(Counter(prompt.task for prompt in part).most_common())
            for name, part in (("base", world.base), ("traffic", world.traffic), ("fresh", world.fresh))
        },
        "always": stick.always(),
        "start": stick.figures(measured(arms[0]["start"])),
        "arms": {arm["arm"]: _arm(arm, never, stick) for arm in arms},
    }


def _arm(arm: Mapping[str, Any], never: Mapping[str, Any] | None, stick: Yardstick) -> dict[str, Any]:
    stages = []
    for place, stage in enumerate(arm["stages"]):
        before = measured(stage["before"])
        after = measured(stage["after"]) if "after" in stage else before
        told = {name: value for name, value in stage.items() if name not in ("before", "after")}
        told |= {"before": stick.figures(before), "after": stick.figures(after)}
        if "after" in stage:
            told["against_before"] = stick.against(after, before)
            if never is not None:
                told["against_never"] = stick.against(after, measured(never["stages"][place]["before"]))
        stages.append(told)
    return {"learns_from": ARMS[arm["arm"]], "requests": arm["requests"], "stages": stages}


def write_report(report: Mapping[str, Any], out: Path) -> None:
    """Write the report into a folder, as figures, as text and as pictures."""
    (out / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (out / REPORT_TEXT).write_text("\n".join(as_text(report)) + "\n", encoding="utf-8")
    for name, picture in pictures(report).items():
        (out / name).write_text(picture, encoding="utf-8")


def read_report(out: Path) -> dict[str, Any]:
    """Return the report of a simulation from its folder."""
    found: dict[str, Any] = json.loads((out / REPORT).read_text(encoding="utf-8"))
    return found


def as_text(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report line by line."""
    plan, world = report["plan"], report["world"]
    counts = ", ".join(f"{sum(found.values()):,} {name}" for name, found in world.items())
    yield f"{counts}; kept out of the base: {', '.join(plan['new_tasks'])}"
    yield (
        f"{plan['feedback']:.0%} of the answers get a thumb, {plan['noise']:.0%} of the thumbs are wrong; "
        f"{plan['new_traffic']:.0%} of the traffic is of the new tasks"
    )
    for name, found in report["always"].items():
        yield f"always one tier, {name}: " + ", ".join(f"{tier} {one:.3f}" for tier, one in found.items())
    for part in (ALL, NEW, OTHER):
        yield f"\nFresh prompts, {part} ({report['start']['parts'][part]['prompts']:,}; 95 % intervals)"
        yield _ROW.format("", "after", "quality", "$ per 1,000", "with lost quality, $", "sent to")
        yield _row("at the start", 0, report["start"]["parts"][part])
        for arm, found in report["arms"].items():
            for stage in found["stages"]:
                yield _row(arm, stage["answers"], stage["after"]["parts"][part])
    yield from _areas(report)
    yield from _differences(report)
    yield from _gates(report)
    yield from _traffic(report)


_ROW = "  {:<13}{:>6}{:>25}{:>24}{:>27}   {}"


def _row(name: str, answers: int, part: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{tier} {share:.0%}" for tier, share in part["shares"].items())
    return _ROW.format(
        name,
        f"{answers:,}",
        _told(part["quality"], ".3f"),
        _told(part["usd_per_1000"], ".2f"),
        _told(part["total_usd_per_1000"], ".2f"),
        shares,
    )


def _areas(report: Mapping[str, Any]) -> Iterator[str]:
    names = list(report["start"]["areas"])
    shape = "  {:<13}{:>6}" + "{:>28}" * len(names)
    yield f"\nArea recovered on the new tasks, {report['plan']['tiers'][0]} to {report['plan']['tiers'][-1]}"
    yield shape.format("", "after", *names)
    yield shape.format("at the start", 0, *(_told(report["start"]["areas"][name], ".3f") for name in names))
    for arm, found in report["arms"].items():
        for stage in found["stages"]:
            areas = stage["after"]["areas"]
            yield shape.format(arm, f"{stage['answers']:,}", *(_told(areas[name], ".3f") for name in names))


def _differences(report: Mapping[str, Any]) -> Iterator[str]:
    for against, of in _WAYS.items():
        yield f"\nLess {of}, at the same moment and prompt by prompt"
        for arm, found in report["arms"].items():
            for stage in found["stages"]:
                gap = stage.get(f"against_{against}")
                if gap is not None:
                    yield f"  {arm} after {stage['answers']:,}: {_gap(gap)}"


def _gap(gap: Mapping[str, Any]) -> str:
    every, new = gap["parts"][ALL], gap["parts"][NEW]
    told = [
        f"quality {_said(every['quality'], '+.3f')}",
        f"$ {_said(every['usd_per_1000'], '+.2f')}",
        f"with lost quality $ {_said(every['total_usd_per_1000'], '+.2f')}",
        f"quality on new tasks {_said(new['quality'], '+.3f')}",
        f"area {_said(gap['areas']['together'], '+.3f')}",
    ]
    return "; ".join(told)


def _gates(report: Mapping[str, Any]) -> Iterator[str]:
    yield "\nVerdicts"
    for arm, found in report["arms"].items():
        for stage in found["stages"]:
            if "verdict" in stage:
                yield f"  {arm} after {stage['answers']:,}: {_verdict(stage)}"


def _verdict(stage: Mapping[str, Any]) -> str:
    seconds = f"retrained in {stage['retrain_seconds']:.0f} s"
    if stage["verdict"] is None:
        return f"nothing to judge ({' '.join(stage['said'])}); {seconds}"
    failed = [check["name"] for check in stage["verdict"]["checks"] if not check["passed"]]
    if stage["promoted"]:
        return f"passed, promoted, taken over in {stage['swap_seconds']:.1f} s; {seconds}"
    return f"refused ({', '.join(failed) or ' '.join(stage['said'])}), the champion stays; {seconds}"


def _traffic(report: Mapping[str, Any]) -> Iterator[str]:
    yield "\nThe traffic itself, exploration included"
    for arm, found in report["arms"].items():
        for stage in found["stages"]:
            live = stage["live"]
            yield (
                f"  {arm} up to {stage['answers']:,}: quality {live['quality']:.3f}, "
                f"$ {live['usd_per_1000']:.2f} per 1,000, "
                f"{live['thumbs']['up']} thumbs up, {live['thumbs']['down']} down"
            )


def _told(found: Mapping[str, float] | None, shape: str) -> str:
    if found is None:
        return "not defined"
    return f"{found['value']:{shape}} ({found['low']:{shape}} – {found['high']:{shape}})"


def _said(found: Mapping[str, Any] | None, shape: str) -> str:
    return "not defined" if found is None else f"{_told(found, shape)} {found['said']}"
