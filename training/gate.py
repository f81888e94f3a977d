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
from training.off_policy import Compared, HeldOut, area, mean_tier, over_routed, under_routed

# How the rule of a check begins that passed because nothing can be said.
TOO_FEW = "too few rows to tell"

_MAX_CALIBRATION_ERROR = 0.08
_MAX_TWO_TIERS_UNDER = 0.05
# Of accuracy and under-routing on some thousand rows that `train` compares without an interval.
_MARGIN = 0.02
# What chance moves in the share of some thirty attacked, and some hundred perturbed prompts.
_MAX_MORE_MOVED = 0.05
# A ratio, on a machine that does other things as well.
_MAX_SLOWER, _MAX_LARGER = 1.5, 1.25


@dataclass(frozen=True, slots=True)
class _Margins:
    """How much worse a candidate may be than the champion and still count as no worse, for each figure.

    `must_show` where the rows are many enough to show it: then a difference that chance leaves open fails.
    """

    under: float
    over: float
    area: float
    must_show: bool


# The corpus has rows enough; over-routing may grow more, since feedback may rightly call for dearer tiers.
_CORPUS = _Margins(under=0.03, over=0.05, area=0.02, must_show=True)
_FEEDBACK = _Margins(under=0.05, over=0.05, area=0.05, must_show=False)
# Half a tier, on graded prompts most of which the candidate was fitted on. In the simulated loop honest
# labels moved at most 0.3 of one, bad grades invented for tiers that nobody asked more than 0.6.
_MAX_DEARER = 0.5


@dataclass(frozen=True, slots=True)
class _Beside:
    """What candidate and champion say of rows, and by what rule and chance their figures are compared."""

    rows: HeldOut
    where: str
    margins: _Margins
    tiers: Sequence[str]
    threshold: float
    seed: int
    rounds: int

    @property
    def how(self) -> tuple[Sequence[str], float, int, int]:
        """Return what every comparison of routings takes."""
        return self.tiers, self.threshold, self.seed, self.rounds


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
    checks = [
        *_compared(_Beside(found.corpus, "corpus", _CORPUS, *how)),
        *_alone(ours),
        *_robust(ours, theirs),
        _ratio("latency", found.milliseconds, _MAX_SLOWER, "ms a prediction, in the same run"),
        _ratio("size", found.bytes, _MAX_LARGER, "bytes of what is loaded"),
    ]
    pays = False
    if found.feedback is not None:
        checks += _compared(_Beside(found.feedback, "feedback", _FEEDBACK, *how))
        missed = under_routed(found.feedback, *how)
        pays = missed is not None and missed.difference.high < 0.0
    checks += _dearer(mean_tier(found.prompts, *how), pays)
    return _verdict(folder, champion, checks)


def _compared(beside: _Beside) -> list[Check]:
    """Return the checks on rows that neither artifact has seen, those that the rows define."""
    rows, margins = beside.rows, beside.margins
    found = [
        ("under-routing", under_routed(rows, *beside.how), margins.under, 1.0),
        ("over-routing", over_routed(rows, *beside.how), margins.over, 1.0),
        *(
            (
                f"area recovered, is {tier} enough",
                area(rows, head, beside.seed, beside.rounds),
                margins.area,
                -1.0,
            )
            for head, tier in enumerate(beside.tiers[:-1])
        ),
    ]
    return [
        _no_worse(f"{name}, {beside.where}", one, margin, sign, beside.margins.must_show)
        for name, one, margin, sign in found
        if one is not None
    ]


def _no_worse(name: str, found: Compared, margin: float, sign: float, must_show: bool) -> Check:
    """Return a check on a difference to the champion; `sign` is 1 where more is worse, -1 where less is.

    Non-inferiority: it passes where the worse end of the interval is within the margin. Where it is not, a
    difference that chance leaves open fails what must be shown, and passes elsewhere, named as what it is.
    """
    gap = found.difference
    least, most = sorted((sign * gap.low, sign * gap.high))
    shown = most <= margin
    passed = shown or not (must_show or least > 0.0)
    rule = f"no worse than the champion by {margin:g}, the whole interval of the difference (low, high)"
    return Check(
        name,
        passed,
        round(found.candidate, 4),
        round(found.champion + sign * margin, 4),
        round(found.champion, 4),
        round(gap.low, 4),
        round(gap.high, 4),
        found.rows,
        rule if shown or not passed else f"{TOO_FEW}: {rule}, or not surely worse",
    )


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
