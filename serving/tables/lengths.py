"""How long answers are, learned per kind of prompt."""

from __future__ import annotations

# Answers that the assumed length counts for, before and beside those that were seen.
_PRIOR_WEIGHT = 20.0
# Weight of what was seen, after each new answer: the last few hundred count.
_DECAY = 0.995


class OutputLengths:
    """The mean length of answers per kind of prompt, in tokens; the assumed length until answers are seen.

    >>> lengths = OutputLengths(assumed_tokens=400)
    >>> for _ in range(500): lengths.observe("economy/text/short", 40)
    >>> lengths.expected("premium/text/short"), 40 <= lengths.expected("economy/text/short") < 90
    (400, True)
    """

    def __init__(self, *, assumed_tokens: int) -> None:
        self.assumed_tokens = assumed_tokens
        self._seen: dict[str, tuple[float, float]] = {}

    def expected(self, kind: str) -> int:
        """Return the expected length of an answer, at least one token."""
        weight, tokens = self._seen.get(kind, (0.0, 0.0))
        mean = (tokens + _PRIOR_WEIGHT * self.assumed_tokens) / (weight + _PRIOR_WEIGHT)
        return max(1, round(mean))

    def observe(self, kind: str, output_tokens: int) -> None:
        """Take in the length of one answer."""
        weight, tokens = self._seen.get(kind, (0.0, 0.0))
        self._seen[kind] = (weight * _DECAY + 1.0, tokens * _DECAY + output_tokens)
