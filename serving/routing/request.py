"""What a request asks of the decision: sizes and limits, never its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from serving.routing.headroom import Headroom
from serving.routing.tokens import TokenCount


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost, must be able to do, and who may answer it; None means that nothing is asked.

    All but the dial are hard: `max_latency_ms` is for the whole answer, `max_first_token_ms` for its first
    token; `quality_floor` (0–1) can raise the policy's, never lower it; `minimum_tier` and `maximum_tier`
    bound the tier of the deployment. `allow` (None: all), `deny` and `pin` hold names of deployments; `pin`
    those that may answer, best first: it replaces the ranking by price, and no other limit.

    `cost_versus_quality` (0–1) is the dial: 0 asks for the least money, 0.5 for the policy as it stands,
    1 for the best answer.
    """

    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    max_first_token_ms: float | None = None
    quality_floor: float | None = None
    minimum_tier: str | None = None
    maximum_tier: str | None = None
    capabilities: frozenset[str] = frozenset()
    compliance: frozenset[str] = frozenset()
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    pin: tuple[str, ...] = ()
    cost_versus_quality: float | None = None


NO_LIMITS = Limits()


def tightest(given: Sequence[Limits], tiers: Sequence[str]) -> Limits:
    """Return what satisfies all of them at once: no limit of one is loosened by another.

    The dial is a choice rather than a limit, so that the first who makes one is heard; of several pins the
    first gives the order.
    `tiers` is the scale, lowest first; a tier that is not on it stands, and rejects everything.

    >>> one, other = Limits(max_cost_usd=0.5, deny=frozenset("a")), Limits(max_cost_usd=0.1)
    >>> both = tightest([one, other], ("low", "high"))
    >>> both.max_cost_usd, sorted(both.deny)
    (0.1, ['a'])
    """
    if len(given) == 1:
        return given[0]
    floors = [row.quality_floor for row in given if row.quality_floor is not None]
    pins = [row.pin for row in given if row.pin]
    # a second pin leaves of the first what it names as well
    allowed = [row.allow for row in given if row.allow is not None] + [frozenset(pin) for pin in pins[1:]]
    return Limits(
        max_cost_usd=_least(row.max_cost_usd for row in given),
        max_latency_ms=_least(row.max_latency_ms for row in given),
        max_first_token_ms=_least(row.max_first_token_ms for row in given),
        quality_floor=max(floors, default=None),
        minimum_tier=_outermost([row.minimum_tier for row in given], tiers, highest=True),
        maximum_tier=_outermost([row.maximum_tier for row in given], tiers, highest=False),
        capabilities=frozenset().union(*(row.capabilities for row in given)),
        compliance=frozenset().union(*(row.compliance for row in given)),
        allow=frozenset.intersection(*allowed) if allowed else None,
        deny=frozenset().union(*(row.deny for row in given)),
        pin=pins[0] if pins else (),
        cost_versus_quality=next(
            (row.cost_versus_quality for row in given if row.cost_versus_quality is not None), None
        ),
    )


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _outermost(named: Sequence[str | None], tiers: Sequence[str], *, highest: bool) -> str | None:
    found = [tier for tier in named if tier is not None]
    strange = next((tier for tier in found if tier not in tiers), None)
    if strange is not None or not found:
        return strange
    return (max if highest else min)(found, key=tiers.index)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as a key tells: a name, the limits of all they send, and their tier of service."""

    name: str
    limits: Limits = NO_LIMITS
    user_tier: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """Who answered the last turn of a conversation, and how many of its tokens are warm in their cache.

    `decision_id` is of that turn's own decision.
    """

    deployment: str
    warm_tokens: int = 0
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class RoutingRequest:
    """One request as the decision sees it.

    `reserved_output_tokens` is what must fit in the window; `expected_output_tokens` is what is priced.
    `only` names the deployments a caller asked for by name; empty means all.
    `day` (UTC) is what the life cycle of a deployment is held against; without one, whatever ends is over.
    `rules` names those that acted. `control_draw` (0–1, sticky) is in the control group below its share,
    `exploration_draw` explores below its own; a draw of 1 is none.
    `sensitive` names the kinds of content found in the prompt; their tags are in the limits.
    `tokens` holds what the prompt comes to per family of tokenizers, `input_tokens` what it does for most.
    `kind` is what its expected length was learned from; `last_turn` is None outside of conversations.
    `max_output_tokens` is what the caller allows, None where they do not say; `choices` how many answers they
    want. `unmeasured_tokens` is what attachments may come to beyond the estimate, None where nobody can tell.
    `uses` is what every deployment is thought to do, unless it was found that one cannot.
    `caller` is who calls by name, `headroom` what is left of the budgets that hold for them.
    """

    decision_id: str
    input_tokens: int
    expected_output_tokens: int
    reserved_output_tokens: int
    limits: Limits = NO_LIMITS
    only: frozenset[str] = frozenset()
    day: date | None = None
    rules: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    control_draw: float = 1.0
    exploration_draw: float = 1.0
    kind: str = ""
    last_turn: Turn | None = None
    tokens: Mapping[str, TokenCount] = field(default_factory=dict)
    max_output_tokens: int | None = None
    choices: int = 1
    unmeasured_tokens: int | None = 0
    caller: str | None = None
    headroom: tuple[Headroom, ...] = ()
    uses: frozenset[str] = frozenset()

    def input_for(self, tokenizer: str) -> TokenCount:
        """Return how many tokens the prompt is for a deployment with this tokenizer."""
        return self.tokens.get(tokenizer) or TokenCount(self.input_tokens, self.input_tokens)

    def cached_input_tokens(self, deployment: str) -> int:
        """Return how many tokens of the prompt a deployment is expected to read from its cache."""
        if self.last_turn is None or self.last_turn.deployment != deployment:
            return 0
        return min(self.last_turn.warm_tokens, self.input_tokens)
