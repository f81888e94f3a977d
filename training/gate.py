"""Whether a candidate may be promoted: named checks with their figures, and one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from classifier.artifact import ArtifactError, champion_folder, load_manifest
from classifier.verdict_file import Check, Verdict, manifest_sha256
from training.champion import report_of
from training.dataset import Row
from training.evaluation import tier_figures
from training.non_inferiority import Margins, figures_of, may_leave_open, must_show
from training.off_policy import Compared, HeldOut, mean_tier

_MAX_CALIBRATION_ERROR = 0.08
_MAX_TWO_TIERS_UNDER = 0.05
# Of accuracy and under-routing on some thousand rows that `train` compares without an interval.
_MARGIN = 0.02
# What chance moves in the share of some thirty attacked, and some hundred perturbed prompts.
_MAX_MORE_MOVED = 0.05
# A ratio, on a machine that does other things as well.
_MAX_SLOWER, _MAX_LARGER = 1.5, 1.25


# The corpus has rows enough; over-routing may grow more, since feedback may rightly call for dearer tiers.
_CORPUS = Margins(under=0.03, over=0.05, area=0.02)
_FEEDBACK = Margins(under=0.05, over=0.05, area=0.05)
# Half a tier, on graded prompts most of which the candidate was fitted on. In three simulated loops the 18
# candidates of honest labels moved them by at most 0.39, the first of invented bad grades by 0.73 to 0.78.
_MAX_DEARER = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a retrained candidate is judged by, beside the champion.

    `corpus` and `feedback` hold what both say of rows that neither has seen; `feedback` is None without any.
    `prompts` are all of the log's, judging or not, that a grade made rows of.
    `reports` are those of candidate and champion, `milliseconds` what a prediction takes each, `bytes` what
    is loaded of their folders.
    """

    corpus: HeldOut
    feedback: HeldOut | None
    prompts: HeldOut
    reports: tuple[Mapping[str, Any], Mapping[str, Any]]
    milliseconds: tuple[float, float]
    bytes: tuple[int, int]


def judge(
    folder: Path,
    report: Mapping[str, Any],
    rows: Sequence[Row],
    models: Path,
    tiers: Sequence[str],
    threshold: float,
) -> Verdict:
    """Judge the artifact in a folder by its report, and beside the champion on rows that both held out."""
    length = report["table"]["prompt length"]["accuracy"]
    checks = [
        _at_least("accuracy above prompt length alone", report["accuracy"], length),
        *_alone(report),
    ]
    champion = _champion(models, report["version"])
    if champion is None:
        return Verdict(report["version"], manifest_sha256(folder), None, None, tuple(checks))
    checks += _beside(report, champion, rows, tiers, threshold)
    return _verdict(folder, champion_folder(models), checks)


def judge_beside(
    folder: Path,
    champion: Path,
    found: Evidence,
    tiers: Sequence[str],
    threshold: float,
    seed: int = 7,
    rounds: int = 1_000,
) -> Verdict:
    """Judge a retrained artifact beside the champion: better, or shown to be no worse than a margin."""
    ours, theirs = found.reports
    how = tiers, threshold, seed, rounds
    told = [] if found.feedback is None else figures_of(found.feedback, "feedback", _FEEDBACK, *how)
    better = {figure.name for figure in told if figure.is_better}
    checks = [
        *(must_show(one, bool(better)) for one in figures_of(found.corpus, "corpus", _CORPUS, *how)),
        *_alone(ours),
        *_robust(ours, theirs),
        _ratio("latency", found.milliseconds, _MAX_SLOWER, "ms a prediction, in the same run"),
        _ratio("size", found.bytes, _MAX_LARGER, "bytes of what is loaded"),
        *(may_leave_open(figure) for figure in told),
        *_dearer(mean_tier(found.prompts, *how), pays="under-routing, feedback" in better),
    ]
    return _verdict(folder, champion, checks)


def _dearer(sent: Compared | None, pays: bool) -> list[Check]:
    """Return the check on what a candidate would spend on the log's prompts: nobody need grade that.

    More than the bound is for those candidates of which feedback shows that it `pays`.
    """
    if sent is None:
        return []
    return [
        Check(
            "dearer tiers, logged prompts",
            sent.difference.value <= _MAX_DEARER or pays,
            round(sent.candidate, 4),
            round(sent.champion + _MAX_DEARER, 4),
            round(sent.champion, 4),
            round(sent.difference.low, 4),
            round(sent.difference.high, 4),
            sent.rows,
            "mean place on the scale of tiers, 0 the cheapest; more than the bound only where feedback shows "
            "under-routing surely better",
        )
    ]


def _robust(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[Check]:
    """Return the checks on prompts in other dresses and on attacks, each on rows that were not seen."""
    shared = [
        (one["value"], theirs["robustness"][kind]["value"])
        for kind, one in ours["robustness"].items()
        if theirs.get("robustness", {}).get(kind)
    ]
    found = []
    if shared:
        kept, before = (round(float(np.mean(values)), 4) for values in zip(*shared, strict=True))
        found.append(
            _at_least("robustness, prompts that keep their tier", kept, before - _MAX_MORE_MOVED, before)
        )
    if theirs.get("attacks"):
        moved, before = ours["attacks"]["total"]["value"], theirs["attacks"]["total"]["value"]
        found.append(_at_most("robustness, attacks that succeed", moved, before + _MAX_MORE_MOVED, before))
    return found


def _alone(report: Mapping[str, Any]) -> list[Check]:
    return [
        _at_most("two tiers too low", report["two_tiers_under"], _MAX_TWO_TIERS_UNDER),
        *(
            _at_most(f"calibration error, is {tier} enough", head["ece"], _MAX_CALIBRATION_ERROR)
            for tier, head in report["heads"].items()
        ),
    ]


def _champion(models: Path, candidate: str) -> Mapping[str, Any] | None:
    """Return the champion's report; None where there is no other champion to compare with."""
    try:
        folder = champion_folder(models)
        load_manifest(folder)
    except ArtifactError:
        return None
    found = report_of(folder)
    return None if not found or found.get("version") == candidate else found


def _beside(
    report: Mapping[str, Any],
    champion: Mapping[str, Any],
    rows: Sequence[Row],
    tiers: Sequence[str],
    threshold: float,
) -> list[Check]:
    both = [row for row in rows if row.id in champion["held_out"] and row.id in report["held_out"]]
    if not both or champion["tiers"] != list(tiers):
        return []
    ours, theirs = (
        tier_figures(both, np.array([one["held_out"][row.id] for row in both]), tiers, threshold)
        for one in (report, champion)
    )
    return [
        _at_least("accuracy beside the champion", ours["accuracy"], theirs["accuracy"] - _MARGIN),
        _at_most("under-routing beside the champion", ours["under_routed"], theirs["under_routed"] + _MARGIN),
    ]


def _verdict(folder: Path, champion: Path, checks: Sequence[Check]) -> Verdict:
    seals = manifest_sha256(folder), champion.name, manifest_sha256(champion)
    return Verdict(folder.name, *seals, tuple(checks))


def _ratio(name: str, found: tuple[float, float], most: float, unit: str) -> Check:
    ours, theirs = found
    return Check(
        name,
        ours <= most * theirs,
        round(ours, 4),
        round(most * theirs, 4),
        round(theirs, 4),
        rule=f"at most {most:g} times the champion's ({unit})",
    )


def _at_least(name: str, candidate: float, bound: float, champion: float | None = None) -> Check:
    return Check(name, candidate >= bound, candidate, round(bound, 4), champion, rule="at least the bound")


def _at_most(name: str, candidate: float, bound: float, champion: float | None = None) -> Check:
    return Check(name, candidate <= bound, candidate, round(bound, 4), champion, rule="at most the bound")
