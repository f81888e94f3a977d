"""Of outcome data, whose gap a ranking should recover, and which tasks are one exam."""

from __future__ import annotations

from collections.abc import Mapping

from training.config import TrainingConfig

Side = tuple[str, ...]

# Beside the tiers of each source's table, one model against one: of nine_models the strongest on most tasks.
_MODELS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "nine_models": (("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),),
    "routerbench": (("mistralai/mixtral-8x7b-chat", "gpt-4-1106-preview"),),
}

# The multiple-choice questions that MMLU's training set is made of, of which its `mmlu` is a sample itself.
OUTCOME_FAMILIES: Mapping[str, Mapping[str, Side]] = {
    "nine_models": {"exams as in MMLU": ("arc_challenge", "mmlu", "openbook_qa")},
}


def pairs_of(source: str, config: TrainingConfig) -> dict[str, tuple[Side, Side]]:
    """Return {label: (weak models, strong models)}: the cheapest tier against the dearest, then single ones.

    A side of several models counts as their mean, which is less noisy than one. A source of votes has no
    pair: no two of its rows were answered by the same models.
    """
    if source not in _MODELS:
        return {}
    table = config.outcome_tiers[source]
    weak, strong = table[config.tiers[0]], table[config.tiers[-1]]
    tiers = f"{len(weak)} {config.tiers[0]} and {len(strong)} {config.tiers[-1]} models"
    single = {f"{one} and {other}": ((one,), (other,)) for one, other in _MODELS[source]}
    return {tiers: (tuple(weak), tuple(strong)), **single}
