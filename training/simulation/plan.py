"""Every choice of a simulation in one frozen place, and what each arm is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from classifier.tiers import DEFAULT_TIERS
from training.config import OUTCOME_TIERS, TrainingConfig

SOURCE = "nine_models"

# What is retrained on, by arm; None where nothing ever is. The first is the loop itself.
ARMS: Mapping[str, str | None] = {
    "loop": "the feedback that came",
    "never": None,
    "full": "every tier's answer to every prompt graded, without noise: the ceiling",
    "naive": "the feedback that came, the tiers that did not answer taken for bad",
}


class SimulationError(Exception):
    """A simulation that cannot go on; the message says what happened, and the way out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    `answers`: after how many answers each arm retrains. `new_tasks` are kept out of the base; of them
    `new_fresh` (0–1) is kept for measuring, of the others `fresh`, and `base` goes into the base corpus. The
    rest is traffic, `new_traffic` of it from the new tasks, from `callers` keys. `feedback` of the answers
    get a thumb, `noise` of the thumbs are wrong. An answer has `output_tokens`: the data has no lengths.
    `margin` is how much worse than the best tier is good enough. `prompts` is what the log keeps of them.
    """

    answers: tuple[int, ...] = (500, 1_500, 5_000)
    arms: tuple[str, ...] = tuple(ARMS)
    new_tasks: tuple[str, ...] = ("mmlu", "gsm8k")
    new_fresh: float = 0.4
    fresh: float = 0.17
    base: float = 0.3
    new_traffic: float = 1 / 3
    feedback: float = 0.2
    noise: float = 0.1
    callers: int = 10
    output_tokens: int = 400
    margin: float = 0.1
    seed: int = 7
    prompts: str = "text"
    tiers: tuple[str, ...] = DEFAULT_TIERS
    models: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: OUTCOME_TIERS[SOURCE])
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        """Refuse what could not be simulated."""
        problem = _problem(self)
        if problem:
            raise SimulationError(problem)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, for the report."""
        return {name: _plain(value) for name, value in asdict(self).items() if name != "training"}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _problem(plan: Plan) -> str | None:
    if not plan.answers or list(plan.answers) != sorted({*plan.answers}) or plan.answers[0] < 1:
        return f"answers: {plan.answers} must be numbers above 0 that rise, such as 500,1500,5000."
    unknown = sorted(set(plan.arms) - set(ARMS))
    if unknown or not plan.arms:
        return f"arms: {', '.join(unknown) or 'none'} is not one. Known: {', '.join(ARMS)}."
    shares = ("new_fresh", "fresh", "base", "new_traffic", "feedback", "noise")
    for name in shares:
        if not 0.0 <= getattr(plan, name) <= 1.0:
            return f"{name}: {getattr(plan, name)} must lie between 0 and 1."
    if plan.fresh + plan.base >= 1.0 or plan.new_fresh >= 1.0:
        return "fresh, new_fresh and base leave nothing for the traffic. Lower them."
    if SOURCE in plan.training.sources:
        return f"sources: with {SOURCE} the base would know what is kept from it. Leave it out."
    if plan.prompts not in ("text", "features"):
        return f"prompts: {plan.prompts!r} is nothing to train on. Take text or features."
    return None


def folder_of(out: Path, arm: str) -> Path:
    """Return where an arm keeps its service, its models and its exports."""
    return out / arm
