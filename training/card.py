"""The model card: what an artifact is for, is made of, and how far to trust it, in the run's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.agreement import agreement
from training.config import TrainingConfig
from training.dataset import Corpus
from training.report_text import as_markdown, percent

_CARD = """# Weighbridge classifier {version}

Predicts which tier of language model a prompt needs: {tiers}, the cheapest first. For each tier it gives
the probability that this tier is enough (its *sufficiency*); the required tier is the cheapest with at
least {threshold:.0%}.

| Tier | Its models can be relied on to |
| --- | --- |
{meanings}

## Intended use

Choosing between deployments of different price in front of OpenAI-compatible traffic. It says what a
*request* needs, from its text alone; it does not judge answers, people or safety, and must not be used
to.

## How it is made

- Encoder: {encoder}, made from `{source}` (licence: {licence}; weights SHA-256 `{source_sha256}`).
- Beside it {features} counts of the prompt's surface (`classifier.features`){tokens} and {heads} logistic
  heads, one per question "is this tier enough?", each calibrated on held-out scores ({calibrations})
  and made monotone. One ONNX graph.
- To make it again: `{created_by}`. The same command on the same data, libraries and kind of processor
  gives the same bytes.

## Data

{rows:,} prompts written for this project and labelled against `training/corpus/RUBRIC.md`; no benchmark,
no user data, no templates. Prompts and labels were written with language models as annotators, held to
the rubric; they are one school's judgement, and no crowd's.

| File | Rows | SHA-256 |
| --- | --- | --- |
{files}

{counts}

{agreed}

{outcomes}

## How good it is

Each row of the corpus was weighed by an exported artifact trained without it ({folds} folds, conversations
kept whole). "Better" and "worse" are said only where the 95 % interval of the difference excludes 0.

{evidence}

| Part of the corpus | rows | accuracy | under-routed | over-routed |
| --- | --- | --- | --- | --- |
{parts}

`report.json` and `report.txt` hold every figure, the `.svg` files the curves.

## Limits

- The labels are one rubric's judgement, made before any answer was seen. Feedback from real traffic is
  the way to better ones.
- Both labels of a row come from annotators of one kind, so their agreement says that the rubric can be
  applied, not that it is right.
- Features and settings were chosen on this same corpus: expect slight optimism.
- The corpus leans on hard cases (long and easy, short and hard, prompts that talk to the router), so
  that these figures are lower than on everyday traffic.
- Most rows are English. The encoder's vocabulary is English too: other languages are judged mostly by
  their surface, and less well where the part above says so.
- It reads the head and the tail of a long prompt, not its middle, and counts attachments without opening
  them.
- What a prompt says of its own difficulty is not counted as a feature, but its words reach the encoder;
  how often that moves a tier stands under the attacks.
"""

_MEANINGS = {
    "economy": "follow a plain instruction on text in the prompt, recall what everybody knows, keep a format",
    "standard": "explain, combine and apply what is widely taught, hold a few requirements at once",
    "premium": "reason over many dependent steps, find what is hidden, know a specialism, doubt the question",
}
_LICENCES = {"sentence-transformers/all-MiniLM-L6-v2": "Apache-2.0"}


def model_card(
    corpus: Corpus,
    outcomes: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any],
    encoder: Mapping[str, Any],
    config: TrainingConfig,
) -> str:
    """Return the card as Markdown."""
    return _CARD.format(
        version=report["version"],
        tiers=" < ".join(report["tiers"]),
        threshold=report["threshold"],
        meanings="\n".join(
            f"| {tier} | {_MEANINGS.get(tier, 'see the labels')} |" for tier in report["tiers"]
        ),
        encoder=_encoder(encoder),
        source=encoder["source"],
        licence=_LICENCES.get(str(encoder["source"]), "see the model's own card"),
        source_sha256=encoder["source_sha256"],
        features=report["feature_count"],
        tokens=", the tokens and pairs of tokens themselves," if encoder["kind"] == "static" else "",
        heads=len(report["heads"]),
        calibrations=", ".join(f"{tier}: {kind}" for tier, kind in report["calibrations"].items()),
        created_by=report["created_by"],
        rows=report["rows"],
        files="\n".join(f"| {one['name']} | {one['rows']:,} | `{one['sha256']}` |" for one in corpus.files),
        counts=_counts(corpus, report["tiers"]),
        agreed=_agreed(corpus, report["tiers"]),
        outcomes=_outcomes(outcomes),
        folds=config.folds,
        evidence=as_markdown(report).strip(),
        parts="\n".join(_parts(report["by"])),
    )


def _encoder(encoder: Mapping[str, Any]) -> str:
    if encoder["kind"] == "static":
        return f"static, {encoder['dimensions']} dimensions of {encoder['bits']} bits per token, averaged"
    return f"transformer, {encoder['bits']}-bit weights"


def _counts(corpus: Corpus, tiers: Sequence[str]) -> str:
    needed = [row.tier for row in corpus.rows]
    languages = {row.language for row in corpus.rows}
    english = sum(row.language == "en" for row in corpus.rows)
    shares = ", ".join(f"{needed.count(tier):,} {tier}" for tier in tiers)
    part = english / max(1, len(needed))
    return f"Tiers: {shares}. Languages: {len(languages)}; {part:.0%} of the rows are English."


def _agreed(corpus: Corpus, tiers: Sequence[str]) -> str:
    pairs = [(row.labels[0], row.labels[1]) for row in corpus.rows if len(row.labels) == 2]
    if not pairs:
        return "Each row was labelled once."
    found = agreement(pairs, tiers)
    by_tier = ", ".join(f"{tier} {kappa}" for tier, kappa in found["kappa_by_tier"].items())
    differences = sum(one != other for one, other in pairs)
    return (
        f"{found['rows']:,} rows were labelled twice, the second time blind: the labels agree on "
        f"{found['agree']:.1%}, Cohen's kappa {found['kappa']}\n(by tier: {by_tier}). The {differences} "
        "differences were resolved in writing (`second/resolved.jsonl`)."
    )


def _outcomes(facts: Sequence[Mapping[str, Any]]) -> str:
    if not facts:
        return "No public outcome data: the corpus alone."
    lines = ["Public outcome data, which teaches the order of prompts within its own tasks only:", ""]
    lines += ["| Source | Licence | Rows used | SHA-256 |", "| --- | --- | --- | --- |"]
    lines += [f"| {one['name']} | {one['licence']} | {one['rows']:,} | {_digest(one)} |" for one in facts]
    unmatched = [str(one["name"]) for one in facts if not one.get("matched", True)]
    if unmatched:
        lines += ["", f"Not matched by content with benchmarks kept for measurement: {', '.join(unmatched)}."]
    return "\n".join(lines)


def _digest(facts: Mapping[str, Any]) -> str:
    """Return the checksum of the file, or of each file of the home."""
    found = facts["sha256"] or ", ".join(facts.get("fetched", {}).values())
    return f"`{found}`" if found else "copies of its home's files"


def _parts(by: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    others = {name: found for name, found in by["language"].items() if name != "en"}
    rows = sum(found["rows"] for found in others.values())
    lines = [_part("English", by["language"]["en"])] if "en" in by["language"] else []
    if rows:
        mean = {
            name: sum((found[name] or 0.0) * found["rows"] for found in others.values()) / rows
            for name in ("accuracy", "under_routed", "over_routed")
        }
        lines.append(_part("other languages", {"rows": rows, **mean}))
    return lines + [_part(name.replace("_", " "), found) for name, found in by["trait"].items()]


def _part(name: str, found: Mapping[str, Any]) -> str:
    shares = " | ".join(percent(found[key]) for key in ("accuracy", "under_routed", "over_routed"))
    return f"| {name} | {found['rows']:,} | {shares} |"
