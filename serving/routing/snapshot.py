"""The live numbers, frozen for one decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """What is known of one deployment right now: speed in milliseconds and tokens per second, and health.

    `unavailable` is None while it may be used, else the reason why not; `error_rate` (0–1) is the share of
    attempts that failed lately. `quality` is what was learned per required tier, None where the catalog's
    figures stand. `requests` and `spent_usd` weigh the latest most: their ratio between deployments is each
    one's share, their size means nothing.
    """

    first_token_ms: float
    output_tokens_per_second: float
    unavailable: str | None = None
    error_rate: float = 0.0
    quality: Mapping[str, float] | None = None
    requests: float = 0.0
    spent_usd: float = 0.0

    def latency_ms(self, output_tokens: int) -> float:
        """Return the expected time of a whole answer in milliseconds.

        >>> DeploymentState(200.0, 100.0).latency_ms(50)
        700.0
        """
        return self.first_token_ms + 1000.0 * output_tokens / self.output_tokens_per_second


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the last `decisions` say of the next one's way to the lowest tier; by default nothing is shifted.

    `share` of them went there, as far as they count. A prompt whose misroute cost is above `threshold_usd` is
    shifted to another tier; one exactly at it where there is no room, and any while the window is full.
    """

    decisions: int = 0
    share: float | None = None
    threshold_usd: float = math.inf
    has_room: bool = True
    is_full: bool = False

    def shifts(self, misroute_usd: float) -> bool:
        """Tell whether a prompt of this misroute cost is to leave the lowest tier to others.

        >>> paced = Traffic(500, 0.6, threshold_usd=0.01, has_room=False)
        >>> [paced.shifts(cost) for cost in (0.001, 0.01, 0.015)]
        [False, True, True]
        """
        if self.is_full or misroute_usd > self.threshold_usd:
            return True
        return misroute_usd == self.threshold_usd and not self.has_room


NO_TRAFFIC = Traffic()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of deployments and traffic at one moment; `version` names the run and counts its changes."""

    version: str
    states: Mapping[str, DeploymentState] = field(default_factory=dict)
    traffic: Traffic = NO_TRAFFIC

    def shares(self) -> dict[str, tuple[float, float]]:
        """Return the share (0–1) of the requests and of the money lately, of those that had any.

        >>> busy, idle = DeploymentState(1.0, 1.0, requests=3.0, spent_usd=0.2), DeploymentState(1.0, 1.0)
        >>> Snapshot("1", {"a": busy, "b": busy, "c": idle}).shares()
        {'a': (0.5, 0.5), 'b': (0.5, 0.5)}
        """
        requests = sum(state.requests for state in self.states.values())
        spent_usd = sum(state.spent_usd for state in self.states.values())
        return {
            name: (state.requests / requests, state.spent_usd / spent_usd if spent_usd else 0.0)
            for name, state in self.states.items()
            if state.requests
        }
