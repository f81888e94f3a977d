"""The live numbers, frozen for one decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """What is known of one deployment right now: speed in milliseconds and tokens per second, and health.

    `unavailable` is None while it may be used, else the reason why not.
    """

    first_token_ms: float
    output_tokens_per_second: float
    unavailable: str | None = None

    def latency_ms(self, output_tokens: int) -> float:
        """Return the expected time of a whole answer in milliseconds.

        >>> DeploymentState(200.0, 100.0).latency_ms(50)
        700.0
        """
        return self.first_token_ms + 1000.0 * output_tokens / self.output_tokens_per_second


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of every deployment at one moment; `version` counts the changes since start."""

    version: str
    states: Mapping[str, DeploymentState] = field(default_factory=dict)
