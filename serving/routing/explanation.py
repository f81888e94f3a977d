"""A decision told to a person, and to a program: the same sum of dollars, row by row."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import fields
from operator import attrgetter
from typing import Any

from serving.routing.ranking import Share
from serving.routing.request import NO_LIMITS, Limits, RoutingRequest
from serving.routing.router import Decision
from serving.routing.scoring import Candidate
from serving.routing.telling import told

_LIMITS = tuple(one.name for one in fields(Limits))
_values = attrgetter(*_LIMITS)
_NO_VALUES = _values(NO_LIMITS)


def as_dict(decision: Decision) -> dict[str, Any]:
    """Return the decision as plain values, the shape of `POST /route` and of the log's explanation."""
    chosen = decision.chosen
    prediction = decision.prediction
    return {
        "decision_id": decision.request.decision_id,
        "deployment": chosen.deployment if chosen else None,
        "tier": chosen.tier if chosen else None,
        "reason": decision.reason,
        "required_tier": prediction.required_tier,
        "sufficiency": dict(zip(prediction.tiers, prediction.sufficiency, strict=True)),
        "prediction_source": prediction.source,
        "ranking": [_candidate(row) for row in decision.ranking],
        "rejected": [
            {"deployment": row.deployment, "code": row.code, "reason": row.reason}
            for row in decision.rejected
        ],
        "filters": dict(Counter(row.code for row in decision.rejected)),
        "needs": _needs(decision.request),
        "conversation": _conversation(decision.request),
        "kind": decision.request.kind,
        "input_tokens": decision.request.input_tokens,
        "tokens": {family: tuple(count) for family, count in decision.request.tokens.items()},
        "expected_output_tokens": decision.request.expected_output_tokens,
        "reserved_output_tokens": decision.request.reserved_output_tokens,
        "quality_floor": decision.quality_floor,
        "rules": list(decision.request.rules),
        "sensitive": list(decision.request.sensitive),
        "share": _share(decision.share),
        "propensity": decision.propensity,
        "control_draw": decision.request.control_draw,
        "exploration_draw": decision.request.exploration_draw,
        "day": str(decision.request.day) if decision.request.day else None,
        "artifact": prediction.artifact,
        "policy": decision.policy_version,
        "snapshot": decision.snapshot_version,
    }


def _needs(request: RoutingRequest) -> dict[str, Any]:
    """Return the limits that hold for a request, whoever asked for them; none that nobody asked for."""
    needs = {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value, nothing in zip(_LIMITS, _values(request.limits), _NO_VALUES, strict=True)
        if value != nothing
    }
    return needs | ({"model": sorted(request.only)} if request.only else {})


def _conversation(request: RoutingRequest) -> dict[str, Any] | None:
    turn = request.last_turn
    return None if turn is None else {"deployment": turn.deployment, "warm_tokens": turn.warm_tokens}


def _share(share: Share) -> dict[str, Any]:
    threshold_usd = share.traffic.threshold_usd
    return {
        "cap": share.cap,
        "decisions": share.traffic.decisions,
        "share": share.traffic.share,
        "misroute_usd": share.misroute_usd,
        "threshold_usd": threshold_usd if math.isfinite(threshold_usd) else None,
        "has_room": share.traffic.has_room,
        "is_full": share.traffic.is_full,
        "wanted": share.wanted,
        "shifts": share.shifts,
    }


def _candidate(row: Candidate) -> dict[str, Any]:
    # taken apart once: a catalog may be long, and the log has a row for each of them
    name, tier, quality, latency_ms, tokens_usd, waiting_usd, lost_usd, switch_usd = row
    return {
        "deployment": name,
        "tier": tier,
        "quality": quality,
        "latency_ms": latency_ms,
        "token_cost_usd": tokens_usd,
        "waiting_cost_usd": waiting_usd,
        "lost_quality_cost_usd": lost_usd,
        "switch_cost_usd": switch_usd,
        "total_usd": None if tokens_usd is None else row.total_usd,
    }


def as_text(decision: Decision) -> str:
    """Return the decision as lines that a person can check by adding up."""
    return told(as_dict(decision))
