"""How fast a deployment answers: exponentially decaying means that start from the catalog's prior."""

from __future__ import annotations

from dataclasses import dataclass

# below this the rate says more about the clock than about the deployment
_LEAST_OUTPUT_TOKENS = 8


@dataclass(slots=True)
class Latency:
    """Time to first token in milliseconds and output speed in tokens per second of one deployment.

    `decay` is the weight (0–1) of what was known before each new observation.
    """

    first_token_ms: float
    output_tokens_per_second: float
    decay: float

    def observe(self, first_token_ms: float | None, latency_ms: float, output_tokens: int | None) -> None:
        """Take in one answer; a whole answer has no first-token time and moves only the speed."""
        if first_token_ms is not None:
            self.first_token_ms = self._blend(self.first_token_ms, first_token_ms)
        if output_tokens is None or output_tokens < _LEAST_OUTPUT_TOKENS:
            return
        started_ms = self.first_token_ms if first_token_ms is None else first_token_ms
        # a whole answer faster than the usual first token still took some time to write
        writing_ms = max(latency_ms - started_ms, latency_ms * 0.1, 0.1)
        # times are averaged, not speeds: one answer out of a cache must not make a slow deployment look fast
        ms_per_token = self._blend(1000.0 / self.output_tokens_per_second, writing_ms / output_tokens)
        self.output_tokens_per_second = 1000.0 / ms_per_token

    def _blend(self, known: float, seen: float) -> float:
        return self.decay * known + (1.0 - self.decay) * seen
