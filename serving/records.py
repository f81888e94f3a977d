"""The words that every room of `serving` uses for what it knows, chose, saw and heard.

Frozen, plain data: a prediction, a decision's record, an outcome, a piece of feedback. The long ones that
every request makes are msgspec's structs: a frozen dataclass takes ten times as long to make.
Money is in US dollars, time in milliseconds, shares are 0–1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from classifier.tiers import DEFAULT_THRESHOLD, required_tier


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says of one prompt.

    `sufficiency[k]` is P(required tier ≤ tiers[k]): non-decreasing, its last entry is 1.
    `source` is `classifier`, `rule` where a rule states the tier, or `fallback` where no artifact could
    answer and the highest tier stands in.
    `threshold` is the sufficiency from which the artifact calls a tier enough.
    """

    tiers: tuple[str, ...]
    sufficiency: tuple[float, ...]
    artifact: str
    source: str = "classifier"
    threshold: float = DEFAULT_THRESHOLD
    required_tier: str = field(init=False)

    def __post_init__(self) -> None:
        """Tell the cheapest tier that is enough, once: everyone asks for it."""
        required = required_tier(self.sufficiency, self.tiers, self.threshold)
        object.__setattr__(self, "required_tier", required)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a provider counted for one answer; None where it did not say.

    `input_tokens` counts all of the prompt, what was read from a cache and what was written to one included;
    `output_tokens` all of the answer, the reasoning included.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one deployment: `status` is `ok`, `error` or `cancelled`; `error` its kind.

    `skipped` was never asked: by its turn something stood against it, which `error` names.
    `charged_usd` is what it counts for in budgets: its cost, or the most that it may have cost.
    """

    deployment: str
    status: str
    latency_ms: float
    error: str | None = None
    http_status: int | None = None
    charged_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the classifier made of a prompt, for training that has no text: little-endian float32 each.

    `encoder` names what made the `embedding`, `feature_schema` is the version of the `features`' meaning.
    """

    encoder: str
    feature_schema: int
    embedding: bytes
    features: bytes


@dataclass(frozen=True, slots=True)
class ShadowPrediction:
    """What an artifact that only watches says of a prompt, by its own threshold."""

    artifact: str
    tiers: tuple[str, ...]
    sufficiency: tuple[float, ...]
    required_tier: str


class DecisionRecord(msgspec.Struct, frozen=True):
    """One decision as the log keeps it; `prompt`, `vectors` and `conversation` only if settings allow.

    `explanation` is the whole sum, or what makes it once the record is written: nobody waits for that. So is
    `shadow`, which asks the artifact that only watches.
    `caller` is who asked, None where the key names nobody.
    `inputs` are the arguments of `routing.router.decide`, None where they are not known. Beside the
    prompt's messages the classifier reads how many `tools` are offered, and the `response_format`'s type.
    """

    decision_id: str
    created_at: float
    endpoint: str
    requested_model: str
    deployment: str | None
    tier: str | None
    reason: str
    propensity: float
    tiers: tuple[str, ...]
    sufficiency: tuple[float, ...]
    prediction_source: str
    artifact: str
    policy: str
    snapshot: str
    input_tokens: int
    expected_output_tokens: int
    expected_cost_usd: float | None
    expected_latency_ms: float | None
    expected_quality: float | None
    decide_ms: float
    explanation: Mapping[str, Any] | Callable[[], Mapping[str, Any]] = msgspec.field(default_factory=dict)
    prompt: str | None = None
    caller: str | None = None
    inputs: tuple[Any, ...] | None = None
    tools: int = 0
    response_format: str | None = None
    vectors: Vectors | None = None
    conversation: str | None = None
    shadow: Callable[[], ShadowPrediction | None] | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What happened to a dispatched decision; written once, also when the caller hung up.

    `status` is `ok`, `error` or `cancelled`; `cost_usd` is None where tokens or price are unknown.
    """

    decision_id: str
    finished_at: float
    status: str
    deployment: str | None
    streamed: bool
    usage: Usage
    cost_usd: float | None
    first_token_ms: float | None
    latency_ms: float
    attempts: tuple[Attempt, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What someone thought of an answer, or how it compares with another answer to the same prompt.

    `source` says who, `weight` what their word counts for. A grade is a `score` (0–1), a `thumb` (up, down),
    a `label` (too_weak, fine, overkill), or several. A comparison names the other decision, the tier that
    answered it, and what is preferred: this, other or neither.
    """

    feedback_id: str
    decision_id: str
    created_at: float
    source: str
    score: float | None = None
    label: str | None = None
    comment: str | None = None
    thumb: str | None = None
    other_decision_id: str | None = None
    other_tier: str | None = None
    prefers: str | None = None
    weight: float = 1.0

    @property
    def is_comparison(self) -> bool:
        """Tell whether this compares two answers rather than grading one."""
        return self.prefers is not None

    @property
    def quality(self) -> float | None:
        """Return how good the answer was (0–1) as far as this says so, else None.

        >>> [Feedback("f", "d", 0.0, "human", thumb=thumb).quality for thumb in ("up", "down", None)]
        [1.0, 0.0, None]
        """
        if self.score is not None:
            return self.score
        if self.label is not None:
            return 0.0 if self.label == "too_weak" else 1.0
        return None if self.thumb is None else float(self.thumb == "up")


Record = DecisionRecord | Outcome | Feedback
