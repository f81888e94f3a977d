"""Every row weighed by an exported artifact that has not seen it, and what else such artifacts can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.reading import Prompt
from classifier.tier_classifier import TierClassifier
from training.attacks import moved, success_rates
from training.config import TrainingConfig
from training.dataset import Row
from training.intervals import ROUNDS
from training.robustness import KINDS, Classify, kept, paraphrases, perturbed_pairs, survival

Numbers = npt.NDArray[np.float64]

PARAPHRASES = Path("robustness") / "paraphrases.jsonl"
# Of each fold; the attacks come in dozens for each prompt.
_PERTURBED_ROWS = 120
_ATTACKED_ROWS = 30


@dataclass(slots=True)
class Probes:
    """What perturbations and attacks did to held-out prompts, fold by fold."""

    same: dict[str, list[bool]] = field(default_factory=dict)
    attacked: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    def add(self, more: Probes) -> None:
        """Add what was found in another fold."""
        for kind, same in more.same.items():
            self.same.setdefault(kind, []).extend(same)
        self.attacked.extend(more.attacked)

    def as_dict(self, seed: int, rounds: int = ROUNDS) -> dict[str, Any]:
        """Return the shares with their intervals: "robustness" by kind, and "attacks"."""
        return {
            "robustness": {kind: survival(same, seed, rounds) for kind, same in self.same.items() if same},
            "attacks": success_rates(np.concatenate(self.attacked), seed=seed, rounds=rounds),
        }


def probe(
    probes: Probes,
    artifact: TierClassifier,
    rows: Sequence[Row],
    others: Mapping[str, str],
    config: TrainingConfig,
) -> None:
    """Perturb and attack some of the rows that an artifact has not seen; `others` are paraphrases by id."""
    classify = _remembering(lambda prompt: artifact.predict_one(prompt).required_tier)
    draw = np.random.default_rng(config.seed)
    chosen = [rows[place].prompt for place in draw.permutation(len(rows))]
    for kind in KINDS:
        # Few prompts have options to reorder: all of them are looked at, the other kinds take some.
        some = chosen if kind == "options" else chosen[:_PERTURBED_ROWS]
        found = kept(perturbed_pairs(some, kind, config.seed), classify)
        probes.same.setdefault(kind, []).extend(found)
    pairs: list[tuple[Prompt, Prompt]] = [(row.prompt, others[row.id]) for row in rows if row.id in others]
    probes.same.setdefault("paraphrase", []).extend(kept(pairs, classify))
    probes.attacked.append(moved(classify, chosen[:_ATTACKED_ROWS], config.tiers))


def known_paraphrases(config: TrainingConfig, rows: Sequence[Row]) -> dict[str, str]:
    """Return the paraphrases of the corpus by the id of their prompt; none where it has none."""
    return dict(paraphrases(config.corpus / PARAPHRASES, {row.id for row in rows}))


def _remembering(classify: Callable[[Any], str]) -> Classify:
    """Return the same answers, each worked out once: a prompt is looked at before every change of it."""
    known: dict[str, str] = {}

    def answer(prompt: Prompt) -> str:
        key = repr(prompt)
        if key not in known:
            known[key] = classify(prompt)
        return known[key]

    return answer
