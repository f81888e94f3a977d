"""How fast a deployment answers: decaying quantiles of its speed, lately and usually."""

from __future__ import annotations

from serving.tables.quantiles import Quantiles

# below this the rate says more about the clock than about the deployment
_LEAST_OUTPUT_TOKENS = 8
# The catalog's figure counts as so many answers.
_PRIOR_TIMES = 5.0
# What is usual is what was seen over about a hundred answers.
_USUAL_DECAY = 0.99
# Lately so many times slower than usual is slow: it may have lost its traffic, so that it must be tried.
_SLOW = 1.1
# An answer so many times slower than usual is a disappointment.
_DISAPPOINTING = 2.0
# After a slow time an answer at the usual speed counts as so many, so that a few of them are believed.
_RECOVERING_TIMES = 3.0


class Speed:
    """One kind of time (to the first token, or per token) in milliseconds: lately, and usually."""

    def __init__(self, prior_ms: float, decay: float) -> None:
        self._lately = Quantiles(decay)
        self._usually = Quantiles(_USUAL_DECAY)
        for seen in (self._lately, self._usually):
            seen.observe(prior_ms, _PRIOR_TIMES)
        self.usual_ms = prior_ms
        self.lately_ms = prior_ms

    def observe(self, ms: float) -> bool:
        """Take in one answer's time; return whether it was much slower than usual."""
        slow = ms > _DISAPPOINTING * self.usual_ms
        self._lately.observe(ms, _RECOVERING_TIMES if self.is_slow and not slow else 1.0)
        self._usually.observe(ms)
        self.lately_ms = self._lately.at(0.5) or ms
        self.usual_ms = self._usually.at(0.5) or ms
        return slow

    def give_up(self, waited_ms: float) -> None:
        """Take in that nobody waited for longer; what is usual is not learned from it."""
        self._lately.observe(waited_ms)
        self.lately_ms = self._lately.at(0.5) or waited_ms

    def with_waiting(self, waiting_ms: list[float]) -> float:
        """Return the time lately; who still waits will have waited at least as long."""
        late = [ms for ms in waiting_ms if ms > self.lately_ms]
        return self._lately.at_with(0.5, late) or self.lately_ms if late else self.lately_ms

    @property
    def is_slow(self) -> bool:
        """Tell whether it has become slower than it used to be."""
        return self.lately_ms > _SLOW * self.usual_ms


class Latency:
    """Time to first token and time per output token of one deployment.

    `decay` is the weight (0–1) of what was known before each new observation.
    """

    def __init__(self, first_token_ms: float, output_tokens_per_second: float, decay: float) -> None:
        self.first_token = Speed(first_token_ms, decay)
        self.per_token = Speed(1000.0 / output_tokens_per_second, decay)

    @property
    def is_slow(self) -> bool:
        """Tell whether it has become slower than it used to be."""
        return self.first_token.is_slow or self.per_token.is_slow

    def observe(self, first_token_ms: float | None, latency_ms: float, output_tokens: int | None) -> bool:
        """Take in one answer; return whether it was much slower than usual.

        A whole answer has no first-token time and moves only the speed.
        """
        slow = first_token_ms is not None and self.first_token.observe(first_token_ms)
        return self.written(first_token_ms, latency_ms, output_tokens) or slow

    def written(self, first_token_ms: float | None, latency_ms: float, output_tokens: int | None) -> bool:
        """Take in how long an answer took to write, where its first token is known already."""
        if first_token_ms is None and self.first_token.is_slow:
            # nothing else would tell that a first token comes at once again
            writing_ms = (output_tokens or 0) * self.per_token.usual_ms
            return self.first_token.observe(max(latency_ms - writing_ms, 0.1))
        if output_tokens is None or output_tokens < _LEAST_OUTPUT_TOKENS:
            return False
        started_ms = self.first_token.lately_ms if first_token_ms is None else first_token_ms
        # a whole answer faster than the usual first token still took some time to write
        writing_ms = max(latency_ms - started_ms, latency_ms * 0.1, 0.1)
        return self.per_token.observe(writing_ms / output_tokens)
