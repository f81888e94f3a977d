"""A decision told to a person, and to a program: the same sum of dollars, row by row."""

from __future__ import annotations

import math
from typing import Any

from serving.routing.ranking import Share
from serving.routing.request import RoutingRequest
from serving.routing.router import Decision
from serving.routing.scoring import Candidate


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
        "conversation": _conversation(decision.request),
        "kind": decision.request.kind,
        "input_tokens": decision.request.input_tokens,
        "tokens": {family: tuple(count) for family, count in decision.request.tokens.items()},
        "expected_output_tokens": decision.request.expected_output_tokens,
        "quality_floor": decision.quality_floor,
        "rules": list(decision.request.rules),
        "sensitive": list(decision.request.sensitive),
        "share": _share(decision.share),
        "propensity": decision.propensity,
        "artifact": prediction.artifact,
        "policy": decision.policy_version,
        "snapshot": decision.snapshot_version,
    }


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
    known = row.token_cost_usd is not None
    return {
        "deployment": row.deployment,
        "tier": row.tier,
        "quality": row.quality,
        "latency_ms": row.latency_ms,
        "token_cost_usd": row.token_cost_usd,
        "waiting_cost_usd": row.waiting_cost_usd,
        "lost_quality_cost_usd": row.lost_quality_cost_usd,
        "switch_cost_usd": row.switch_cost_usd,
        "total_usd": row.total_usd if known else None,
    }


def as_text(decision: Decision) -> str:
    """Return the decision as lines that a person can check by adding up."""
    prediction = decision.prediction
    enough = ", ".join(
        f"{tier} {share:.0%}" for tier, share in zip(prediction.tiers, prediction.sufficiency, strict=True)
    )
    names = [row.deployment for row in decision.ranking] + [row.deployment for row in decision.rejected]
    width = max((len(name) for name in names), default=0)
    needs = prediction.required_tier
    lines = [f"needs {needs} (enough: {enough}; artifact {prediction.artifact})", ""]
    for place, row in enumerate(decision.ranking):
        mark = "   chosen" if place == 0 else ""
        lines.append(f"{row.deployment:<{width}}   {_sum(row)}{mark}")
    lines += [f"{row.deployment:<{width}}   {row.reason}" for row in decision.rejected]
    if decision.request.rules:
        lines += ["", f"rules: {', '.join(decision.request.rules)}"]
    if decision.reason == "share_cap":
        lines += ["", _shifted(decision.share, prediction.tiers[0])]
    return "\n".join(lines)


def _sum(row: Candidate) -> str:
    parts = f"${row.waiting_cost_usd:.5f} waiting + ${row.lost_quality_cost_usd:.5f} lost quality"
    if row.switch_cost_usd:
        parts += f" + ${row.switch_cost_usd:.5f} switching"
    if row.token_cost_usd is None:
        return f"quality {row.quality:.2f}   price unknown + {parts}"
    return f"quality {row.quality:.2f}   ${row.token_cost_usd:.5f} tokens + {parts} = ${row.total_usd:.5f}"


def _shifted(share: Share, lowest: str) -> str:
    return (
        f"{lowest} comes last: at most {share.cap:.0%} of the traffic goes there, and this prompt, "
        f"${share.misroute_usd:.5f} if that is not enough, is among the dearest to misroute"
    )
