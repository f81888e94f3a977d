"""What a request asks of the decision: sizes and limits, never its text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of one request; None means that the request sets none.

    `max_latency_ms` is for the whole answer; `quality_floor` (0–1) can raise the policy's, never lower it.
    """

    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    quality_floor: float | None = None
    capabilities: frozenset[str] = frozenset()
    compliance: frozenset[str] = frozenset()


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class RoutingRequest:
    """One request as the decision sees it.

    `reserved_output_tokens` is what must fit in the window; `expected_output_tokens` is what is priced.
    `only` names the deployments a caller asked for by name; empty means all.
    """

    decision_id: str
    input_tokens: int
    expected_output_tokens: int
    reserved_output_tokens: int
    limits: Limits = NO_LIMITS
    only: frozenset[str] = frozenset()


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a provider will count: 4 ASCII letters a token, ideographs about one each.

    Within a third of real tokenizers on prose, code and Chinese; meant for windows and prices, not for bills.

    >>> estimate_tokens("four letters make a word"), estimate_tokens("四个字")
    (6, 4)
    """
    letters = len(text)
    if text.isascii():
        return -(-letters // 4)
    return -(-(letters + 2 * (len(text.encode("utf-8", "replace")) - letters)) // 4)
