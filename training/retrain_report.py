"""What a retraining found: candidate beside champion on rows that neither has seen, for tools and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from classifier.artifact import REPORT
from training.documents import CARD, REPORT_TEXT, pictures
from training.evaluation import as_json
from training.off_policy import Compared, HeldOut, area, log_loss, over_routed, under_routed
from training.report_text import as_markdown, as_terminal, percent

_CARD = """# Weighbridge classifier {version}

{champion} fitted again with feedback: the same encoder, the same kind of heads, more to learn from. What it
is for and its limits are those of {champion}, whose card says more.

## Data

- The corpus of {champion}'s kind: {corpus_rows:,} prompts, with their other dresses worth {corpus:,.0f} rows.
- Feedback: {graded:,} graded decisions of {decisions:,} logged; {fitted:,} were fitted on and weigh
  {feedback:,.0f} rows ({feedback_share} of everything), {judging:,} judge and will never be fitted on.

| File | Rows | SHA-256 |
| --- | --- | --- |
{files}

To make it again from the same log: `{created_by}`.

## How good it is

Rows of the corpus that judge (one in {folds}, the same ones each time) were weighed by an artifact fitted
without them; feedback that judges by this very artifact.

{beside}

{evidence}

## Limits

- Feedback says what one tier's answer was worth to whoever graded it, and nothing of the tiers that were
  not asked: rows count by the inverse of the propensity, which corrects that only where there is
  exploration.
- Left out, to be quick: {left_out}.
"""
# A flood from one of them cannot be told from the word of many.
_NAMELESS = "; name them ([[callers]]), or where all of it can be trusted: --key-share 1"
_LEFT_OUT = (
    "choosing the strictness anew (the champion's was kept), all folds but one, curves of cost and quality, "
    "candidates for the heads, and transfer to left-out tasks"
)


def figures(rows: HeldOut, tiers: Sequence[str], threshold: float, seed: int, rounds: int) -> dict[str, Any]:
    """Return both artifacts' figures on rows that neither has seen, None where the rows do not tell."""
    return {
        "rows": len(rows.weights),
        "groups": len(set(rows.groups)),
        "under_routed": _told(under_routed(rows, tiers, threshold, seed, rounds)),
        "over_routed": _told(over_routed(rows, tiers, threshold, seed, rounds)),
        "heads": {
            tier: {
                "area": _told(area(rows, head, seed, rounds)),
                "log_loss": _told(log_loss(rows, head, seed, rounds)),
            }
            for head, tier in enumerate(tiers[:-1])
        },
    }


def retrain_documents(report: Mapping[str, Any], facts: Mapping[str, Any], folds: int) -> dict[str, str]:
    """Return the documents of a retrained artifact by file name; `facts` are those of its manifest."""
    return {
        REPORT: as_json(report),
        REPORT_TEXT: as_text(report),
        CARD: _card(report, facts, folds),
        **pictures(report),
    }


def as_text(report: Mapping[str, Any]) -> str:
    """Return the report as aligned lines: what was learned from, both artifacts side by side, the corpus."""
    return summary(report) + "\n\n" + as_terminal(report)


def summary(report: Mapping[str, Any]) -> str:
    """Return what was learned from and both artifacts side by side, as lines for whoever waits for them."""
    found = report["retrain"]
    lines = [f"{report['version']}: {found['champion']} and feedback", *data_lines(found), "", _beside(found)]
    return "\n".join(lines)


def data_lines(found: Mapping[str, Any]) -> list[str]:
    """Return what was learned from and what it weighs, a line each."""
    feedback, sides, weights = found["feedback"], found["sides"], found["weights"]
    lines = [
        f"{feedback['decisions']:,} logged decisions, {feedback['graded']:,} graded; "
        f"{sides['fitted']['rows']:,} fitted on, {sides['judging']['rows']:,} judge",
        *(
            f"  left out: {count:,} {why}"
            for why, count in {**feedback["left_out"], **sides["left_out"]}.items()
        ),
        f"weights: corpus {weights['corpus']:,} (of {weights['corpus_rows']:,} rows and their dresses), "
        f"feedback {weights['feedback']:,} ({percent(weights['feedback_share'])} of everything, as much as "
        f"{weights['feedback_effective_rows']:,} rows of equal weight)",
    ]
    lines += [
        f"  capped: {one['key'] or 'callers without a name'}, {one['rows']:,} rows of weight "
        f"{one['weight']:,} count for {one['kept']:,} ({feedback['key_share']:.0%} of everything)"
        f"{'' if one['key'] else _NAMELESS}"
        for one in feedback["keys"]
        if one["capped"]
    ]
    lines += [
        f"not learned again: {one['name']}, {one['rows']:,} rows that {found['champion']} was trained with; "
        "`sources` in --config keeps what it taught"
        for one in found["forgotten"]
    ]
    drift = {name: share for name, share in found["drift"].items() if share is not None}
    lines.append(
        "drift: " + ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in drift.items())
    )
    return lines


def _beside(found: Mapping[str, Any]) -> str:
    """Return a line per figure: candidate, champion, and their difference with its interval."""
    lines = ["held out                                rows  candidate  champion  difference (95 %)"]
    for where in ("judging_corpus", "judging_feedback"):
        part = found.get(where)
        if part is None:
            continue
        name = where.removeprefix("judging_")
        lines.append(_line(f"{name}: under-routed", part["under_routed"]))
        lines.append(_line(f"{name}: over-routed", part["over_routed"]))
        for tier, head in part["heads"].items():
            lines.append(_line(f"{name}: area, is {tier} enough", head["area"]))
            lines.append(_line(f"{name}: log loss, is {tier} enough", head["log_loss"]))
    return "\n".join(lines)


def _line(name: str, one: Mapping[str, Any] | None) -> str:
    if one is None:
        return f"{name:<38}  too few rows to tell"
    gap = one["difference"]
    return (
        f"{name:<38}{one['rows']:>6,}  {one['candidate']:>9.3f}  {one['champion']:>8.3f}  "
        f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]"
    )


def _card(report: Mapping[str, Any], facts: Mapping[str, Any], folds: int) -> str:
    found = report["retrain"]
    files = [f"| {one['name']} | {one['rows']:,} | `{one['sha256']}` |" for one in facts["training"]["data"]]
    return _CARD.format(
        version=report["version"],
        champion=found["champion"],
        created_by=report["created_by"],
        decisions=found["feedback"]["decisions"],
        graded=found["feedback"]["graded"],
        fitted=found["sides"]["fitted"]["rows"],
        judging=found["sides"]["judging"]["rows"],
        corpus_rows=found["weights"]["corpus_rows"],
        corpus=found["weights"]["corpus"],
        feedback=found["weights"]["feedback"],
        feedback_share=percent(found["weights"]["feedback_share"]),
        files="\n".join(files),
        folds=folds,
        beside=f"```\n{_beside(found)}\n```",
        evidence=as_markdown(report).strip(),
        left_out=_LEFT_OUT,
    )


def _told(found: Compared | None) -> dict[str, Any] | None:
    return None if found is None else found.as_dict()
