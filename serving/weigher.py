"""Weighs one request: the classifier's prediction, the tables of this moment, one pure decision."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from serving.errors import InvalidRequest, ModelNotFound
from serving.records import Feedback, Outcome, Prediction
from serving.rollout import Rollout, Weighed
from serving.routing.catalog import Catalog
from serving.routing.headroom import nanodollars
from serving.routing.policy import Policy
from serving.routing.request import NO_LIMITS, Caller, Limits, RoutingRequest, tightest
from serving.routing.router import Decision, Inputs, decide
from serving.routing.rules import NO_RULES, Facts, Rulebook, Ruling
from serving.routing.snapshot import Snapshot
from serving.routing.tokens import TokenCount
from serving.sensitive.screen import NO_SCREEN, Found, Screen
from serving.state.counters import MemoryCounters
from serving.tables.budgets import Budgets
from serving.tables.history import outcome_in, rate, rate_again
from serving.tables.lengths import OutputLengths
from serving.tables.live import LiveTables
from serving.tables.recent import Recent
from serving.tables.share import TrafficShare
from serving.words import check_capabilities, check_tags

AUTO = "auto"

# Sizes of a prompt in tokens, up to which its answers are alike.
_SIZES = (("short", 100), ("middling", 1_000))


class Weighing(msgspec.Struct, frozen=True):
    """One request to weigh: `prompt` for the classifier, sizes and limits for the decision.

    The names in `limits` are as the caller wrote them: of deployments or of models.

    `output_tokens` is what the caller allows at most, None where the request does not say.
    `text` and `metadata` are for rules; `user` is who a sticky draw goes by.
    `conversation` is its key, empty where it has none; `goes_on` tells whether it has been answered before.
    `shape` is the kind of answer: text, tools or schema.
    `uses` is what it makes use of that every deployment is thought to do.
    `choices` is how many answers are wanted; `unmeasured_tokens` what attachments may come to beyond the
    estimate, None where nobody can tell.
    `logged_text` is what the log may keep: None unless the settings allow it.
    `found` is what stands in the prompt that should not go everywhere, None where nobody has looked yet.
    """

    endpoint: str
    model: str
    prompt: Mapping[str, Any]
    input_tokens: int
    tokens: Mapping[str, TokenCount] = msgspec.field(default_factory=dict)
    output_tokens: int | None = None
    limits: Limits = NO_LIMITS
    caller: Caller | None = None
    text: str = ""
    user: str | None = None
    user_tier: str | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)
    conversation: str = ""
    goes_on: bool = False
    shape: str = "text"
    choices: int = 1
    unmeasured_tokens: int | None = 0
    logged_text: str | None = None
    found: Found | None = None
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision with the time it took in milliseconds, what it went by, and what the classifier left."""

    decision: Decision
    decide_ms: float
    inputs: Inputs
    weighed: Weighed


class Weigher:
    """Joins classifier, catalog, tables and policy; `weigh` leaves no trace, `decided` does."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        policy: Policy,
        rollout: Rollout,
        tables: LiveTables,
        traffic: TrafficShare | None = None,
        recent: Recent | None = None,
        rules: Rulebook = NO_RULES,
        screen: Screen = NO_SCREEN,
        budgets: Budgets | None = None,
        expected_output_tokens: int,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        self.catalog = catalog
        self.policy = policy
        self.rollout = rollout
        self.tables = tables
        self.rules = rules
        self.budgets = budgets or Budgets((), MemoryCounters())
        self._screen = screen
        self._today = today
        self._traffic = traffic or TrafficShare(cap=1.0, window=1, least=1)
        self._recent = recent or Recent(OutputLengths(assumed_tokens=expected_output_tokens))

    def weigh(self, weighing: Weighing) -> Decided:
        """Decide; raise ModelNotFound for a model that is not in the catalog."""
        started = time.perf_counter()
        only, asked = self._only(weighing.model), self._resolved(weighing.limits)
        weighed = self.rollout.weigh(weighing.prompt, weighing.user or weighing.conversation)
        prediction = weighed.prediction
        ruling = self.rules.ruling(_facts(weighing, prediction))
        found = weighing.found or self._screen.look(weighing.prompt, weighing.text)
        if ruling.needs is not None:
            prediction = _stated(prediction, ruling.needs)
        limits = self._limits(weighing, asked, ruling)
        if found.tags:
            limits = replace(limits, compliance=limits.compliance | found.tags)
        request = self._request(weighing, only, limits, prediction, ruling, found)
        live = self.tables.snapshot()
        snapshot = Snapshot(live.version, live.states, self._traffic.freeze())
        inputs = Inputs(request, prediction, self.catalog, snapshot, self.policy)
        decision = decide(*inputs)
        return Decided(decision, (time.perf_counter() - started) * 1000.0, inputs, weighed)

    def screened(self, weighing: Weighing) -> Weighing:
        """Look for sensitive content already now; unlike all else here it may be done in any thread."""
        return msgspec.structs.replace(weighing, found=self._screen.look(weighing.prompt, weighing.text))

    def decided(self, weighing: Weighing, decision: Decision) -> None:
        """Take in a decision that was acted on."""
        chosen, request = decision.chosen, decision.request
        if chosen is None:
            return
        self._traffic.decided(decision)
        self._recent.decided(
            request.decision_id, request.kind, weighing.conversation, chosen.deployment, request.input_tokens
        )

    def warm(self, rows: Iterable[Mapping[str, Any]]) -> int:
        """Take in what the log knows of earlier runs, oldest first; return how many decisions that were."""
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007 - the last count is the number
            explanation = row["explanation"]
            outcome = outcome_in(row)
            if outcome is not None:
                self.tables.recall(outcome)
                if outcome.status == "ok" and outcome.usage.output_tokens is not None:
                    self._recent.lengths.observe(explanation.get("kind", ""), outcome.usage.output_tokens)
            rate_again(self.tables, row)
            share = explanation.get("share") or {}
            if row["deployment"] and share.get("wanted") is not None:
                went = row["tier"] == next(iter(row["sufficiency"]))
                self._traffic.record(share["misroute_usd"], wanted=share["wanted"], went=went)
        return count

    def rated(self, given: Feedback, row: Mapping[str, Any]) -> None:
        """Take in feedback on a logged decision; what a source said before has counted."""
        if not any(one["source"] == given.source for one in row["feedback"]):
            rate(self.tables, row, given)

    def observed(self, outcome: Outcome, caller: str | None) -> None:
        """Take in what came of a decision that its caller dispatched: speed, health, length and money."""
        self.finished(outcome)
        if outcome.deployment and outcome.cost_usd:
            self.budgets.spend_soon(caller, outcome.deployment, nanodollars(outcome.cost_usd))

    def finished(self, outcome: Outcome) -> None:
        """Take in how a dispatched request ended."""
        self.tables.record(outcome)
        self._recent.finished(outcome)

    def _only(self, model: str) -> frozenset[str]:
        if model == AUTO:
            return frozenset()
        rows = self.catalog.named(model)
        if not rows:
            raise ModelNotFound(
                f"The model {model!r} is not in the catalog. Use 'auto' to be routed, or one of: "
                f"{', '.join(sorted(self.catalog.deployments))}.",
                param="model",
            )
        return frozenset(row.name for row in rows)

    def _request(
        self,
        weighing: Weighing,
        only: frozenset[str],
        limits: Limits,
        prediction: Prediction,
        ruling: Ruling,
        found: Found,
    ) -> RoutingRequest:
        decision_id = _new_id()
        kind = _kind(weighing, prediction)
        expected, allowed = self._recent.lengths.expected(kind), weighing.output_tokens
        assumed = self._recent.lengths.assumed_tokens
        caller = weighing.caller.name if weighing.caller else None
        return RoutingRequest(
            decision_id=decision_id,
            input_tokens=weighing.input_tokens,
            tokens=weighing.tokens,
            expected_output_tokens=expected if allowed is None else min(expected, allowed),
            reserved_output_tokens=max(expected, assumed) if allowed is None else allowed,
            limits=limits,
            only=only,
            day=self._today(),
            rules=ruling.names,
            sensitive=found.kinds,
            control_draw=_control_draw(weighing, decision_id) if ruling.in_control_group else 1.0,
            exploration_draw=_draw(decision_id, b"explore") if ruling.may_explore else 1.0,
            kind=kind,
            last_turn=self._recent.last_turn(weighing.conversation) if weighing.goes_on else None,
            max_output_tokens=allowed,
            choices=weighing.choices,
            unmeasured_tokens=weighing.unmeasured_tokens,
            caller=caller,
            headroom=self.budgets.headroom(caller),
            uses=weighing.uses,
        )

    def _limits(self, weighing: Weighing, asked: Limits, ruling: Ruling) -> Limits:
        caller = (weighing.caller.limits,) if weighing.caller is not None else ()
        return tightest([asked, *caller, *ruling.limits], self.rollout.tiers)

    def _resolved(self, limits: Limits) -> Limits:
        """Return the limits with deployments for models; raise InvalidRequest on a word that nobody knows."""
        if limits is NO_LIMITS:
            return limits
        for param in ("minimum_tier", "maximum_tier"):
            tier = getattr(limits, param)
            if tier is not None and tier not in self.rollout.tiers:
                known = ", ".join(self.rollout.tiers)
                raise InvalidRequest(f"{param}: {tier!r} is not a tier. Known: {known}.", param=param)
        if limits.compliance:
            check_tags(sorted(limits.compliance))
        if limits.capabilities:
            check_capabilities(sorted(limits.capabilities))
        if limits.allow is None and not limits.deny and not limits.pin:
            return limits
        return replace(
            limits,
            allow=None if limits.allow is None else frozenset(self._named(sorted(limits.allow), "allow")),
            deny=frozenset(self._named(sorted(limits.deny), "deny")),
            pin=self._named(limits.pin, "pin"),
        )

    def _named(self, names: Iterable[str], param: str) -> tuple[str, ...]:
        """Return the deployments behind names; one that is unknown is refused, lest a denial be void."""
        found: dict[str, None] = {}
        for name in names:
            rows = self.catalog.named(name)
            if not rows:
                known = ", ".join(sorted(self.catalog.deployments))
                raise InvalidRequest(f"{param}: {name!r} is not in the catalog. Known: {known}.", param=param)
            found.update(dict.fromkeys(row.name for row in rows))
        return tuple(found)


def _new_id() -> str:
    """Return an id that nobody can guess; it sorts by time, as an index is quickest with what comes last."""
    return f"dec_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"


def _kind(weighing: Weighing, prediction: Prediction) -> str:
    """Name the kind of prompt whose answers are alike in length: by required tier, shape and size."""
    size = next((word for word, most in _SIZES if weighing.input_tokens <= most), "long")
    return f"{prediction.required_tier}/{weighing.shape}/{size}"


def _facts(weighing: Weighing, prediction: Prediction) -> Facts:
    caller = weighing.caller
    return Facts(
        text=weighing.text,
        input_tokens=weighing.input_tokens,
        required_tier=prediction.required_tier,
        caller=caller.name if caller else None,
        # what a key says of its holder counts before what they say of themselves
        user_tier=(caller.user_tier if caller else None) or weighing.user_tier,
        metadata=weighing.metadata,
        has_tools=bool(weighing.prompt.get("tools")),
    )


def _stated(prediction: Prediction, tier: str) -> Prediction:
    """Return what a rule puts in the place of the prediction: exactly this tier is required."""
    enough = prediction.tiers.index(tier) if tier in prediction.tiers else len(prediction.tiers) - 1
    sufficiency = tuple(float(place >= enough) for place in range(len(prediction.tiers)))
    return replace(prediction, sufficiency=sufficiency, source="rule")


def _control_draw(weighing: Weighing, decision_id: str) -> float:
    """Return the sticky draw for the control group: the same user or conversation always draws the same."""
    return _draw(weighing.user or weighing.conversation or decision_id, b"control")


def _draw(unit: str, purpose: bytes) -> float:
    """Return a number from 0 up to 1 that a unit draws for a purpose, always the same."""
    digest = hashlib.blake2b(unit.encode("utf-8", "replace"), digest_size=8, person=purpose).digest()
    # 53 bits are what a float holds below 1
    return (int.from_bytes(digest) >> 11) / 2**53
