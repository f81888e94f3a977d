"""How good a deployment's answers are, learned from feedback: a Beta distribution per required tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Quality:
    """Expected quality (0–1) per required tier; the prior counts as `strength` pieces of feedback.

    Feedback is forgotten with time: after `half_life_s` it counts half, and the prior comes back.
    Which tier a prompt really required is not known, only how probable each is. So feedback is shared out
    among the tiers by how well each explains it (the E step of a mixture): a bad answer speaks against a tier
    in which bad answers were to be expected more than against one in which they were not.

    >>> quality = Quality({"low": 0.9, "high": 0.5}, strength=10.0, half_life_s=1e6)
    >>> for _ in range(30): quality.observe(0.0, [("low", 1.0), ("high", 0.0)], now_s=0.0)
    >>> {tier: round(value, 3) for tier, value in quality.expected(0.0).items()}
    {'low': 0.225, 'high': 0.5}
    """

    def __init__(self, prior: Mapping[str, float], *, strength: float, half_life_s: float) -> None:
        self._prior = prior
        self._strength = strength
        self._half_life_s = half_life_s
        # per tier: the weight of its feedback, and of the good in it, as of `_at_s`
        self._weight = dict.fromkeys(prior, 0.0)
        self._good = dict.fromkeys(prior, 0.0)
        self._at_s = 0.0

    def expected(self, now_s: float) -> dict[str, float]:
        """Return the expected quality per tier at a moment."""
        kept = self._kept(now_s)
        return {
            tier: (self._strength * prior + kept * self._good[tier])
            / (self._strength + kept * self._weight[tier])
            for tier, prior in self._prior.items()
        }

    def observe(
        self, score: float, tier_shares: Sequence[tuple[str, float]], now_s: float, weight: float = 1.0
    ) -> None:
        """Take in feedback (0–1) on an answer to a prompt that required these tiers, by share."""
        expected, kept = self.expected(now_s), self._kept(now_s)
        explained = {
            tier: share * (score * expected[tier] + (1.0 - score) * (1.0 - expected[tier]))
            for tier, share in tier_shares
            if tier in expected
        }
        total = sum(explained.values())
        for tier in self._weight:
            part = weight * explained.get(tier, 0.0) / total if total > 0.0 else 0.0
            self._weight[tier] = kept * self._weight[tier] + part
            self._good[tier] = kept * self._good[tier] + part * score
        self._at_s = max(now_s, self._at_s)

    def _kept(self, now_s: float) -> float:
        return float(2.0 ** (-max(now_s - self._at_s, 0.0) / self._half_life_s))
