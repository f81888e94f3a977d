"""The model card: what an artifact is for, is made of, and how far to trust it, in the run's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.dataset import Corpus

_CARD = """# Weighbridge classifier {version}

Predicts which tier of language model a prompt needs: {tiers}, the cheapest first. For each tier it gives
the probability that this tier is enough (its *sufficiency*); the required tier is the cheapest with at
least {threshold:.0%}.

## Intended use

Choosing between deployments of different price in front of OpenAI-compatible traffic. It says what a
*request* needs, from its text alone; it does not judge answers, people or safety, and must not be used
to.

## How it is made

- Encoder: {encoder}, made from `{source}` (licence: {licence}; weights SHA-256 `{source_sha256}`).
- Beside it {features} counts of the prompt's surface (`classifier.features`), and {heads} logistic
  heads, one per question "is this tier enough?", calibrated on held-out scores and made monotone. One
  ONNX graph.
- Command: `{created_by}`. The same command on the same corpus and libraries gives the same bytes.

## Data

{rows:,} prompts written by hand for this project and labelled against `training/corpus/RUBRIC.md`; no
benchmark, no user data, no templates.

| File | Rows | SHA-256 |
| --- | --- | --- |
{files}

{counts}

## How good it is

Each row was weighed by an exported artifact trained without it ({folds} folds, conversations kept
whole).

| | accuracy | under-routed | over-routed |
| --- | --- | --- | --- |
{figures}

Recall: {recall}.

| Question | AUC | Brier | calibration error |
| --- | --- | --- | --- |
{questions}

| Part of the corpus | rows | accuracy | under-routed | over-routed |
| --- | --- | --- | --- | --- |
{parts}

## Limits

- The labels are one rubric's judgement, made before any answer was seen. Feedback from real traffic is
  the way to better ones.
- The corpus leans on hard cases (long and easy, short and hard, prompts that talk to the router), so
  that these figures are lower than on everyday traffic.
- Most rows are English. The encoder's vocabulary is English too: other languages are judged mostly by
  their surface, and less well where the part above says so.
- It reads the head and the tail of a long prompt, not its middle, and counts attachments without opening
  them.
- What a prompt says of its own difficulty is not counted as a feature, but its words reach the encoder.
"""

_LICENCES = {"sentence-transformers/all-MiniLM-L6-v2": "Apache-2.0"}


def model_card(corpus: Corpus, report: Mapping[str, Any], encoder: Mapping[str, Any], folds: int) -> str:
    """Return the card as Markdown."""
    return _CARD.format(
        version=report["version"],
        tiers=" < ".join(report["tiers"]),
        threshold=report["threshold"],
        encoder=_encoder(encoder),
        source=encoder["source"],
        licence=_LICENCES.get(str(encoder["source"]), "see the model's own card"),
        source_sha256=encoder["source_sha256"],
        features=report["feature_count"],
        heads=len(report["heads"]),
        created_by=report["created_by"],
        rows=report["rows"],
        files="\n".join(f"| {one['name']} | {one['rows']:,} | `{one['sha256']}` |" for one in corpus.files),
        counts=_counts(corpus, report["tiers"]),
        folds=folds,
        figures="\n".join(_figures(name, found) for name, found in _compared(report)),
        recall=", ".join(f"{tier} {share:.0%}" for tier, share in report["recall"].items()),
        questions="\n".join(
            f"| is {tier} enough? | {head['auc']:.3f} | {head['brier']:.3f} | {head['ece']:.3f} |"
            for tier, head in report["heads"].items()
        ),
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


def _compared(report: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    names = {"majority": "always the commonest tier", "length": "by prompt length alone"}
    baselines = [(names[name], found) for name, found in report["baselines"].items()]
    return [("**this classifier**", report), *baselines]


def _figures(name: str, found: Mapping[str, Any]) -> str:
    return f"| {name} | {found['accuracy']:.1%} | {found['under_routed']:.1%} | {found['over_routed']:.1%} |"


def _parts(by: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    others = {name: found for name, found in by["language"].items() if name != "en"}
    rows = sum(found["rows"] for found in others.values())
    lines = []
    if rows:
        mean = {
            name: sum(found[name] * found["rows"] for found in others.values()) / rows
            for name in ("accuracy", "under_routed", "over_routed")
        }
        lines = [_part("English", by["language"]["en"]), _part("other languages", {"rows": rows, **mean})]
    return lines + [_part(name.replace("_", " "), found) for name, found in by["trait"].items()]


def _part(name: str, found: Mapping[str, Any]) -> str:
    shares = " | ".join(f"{found[key]:.0%}" for key in ("accuracy", "under_routed", "over_routed"))
    return f"| {name} | {found['rows']:,} | {shares} |"
