"""Records for the tests of the log, alike but for their number."""

from __future__ import annotations

from serving.records import Attempt, DecisionRecord, Feedback, Outcome, Usage

TIERS = ("economy", "standard", "premium")


def decision(number=1, **changes):
    values = {
        "decision_id": f"dec_{number}",
        "created_at": 1_000.0 + number,
        "endpoint": "/route",
        "requested_model": "auto",
        "deployment": "demo-economy",
        "tier": "economy",
        "reason": "least_total_cost",
        "propensity": 1.0,
        "tiers": TIERS,
        "sufficiency": (0.8, 0.95, 1.0),
        "prediction_source": "classifier",
        "artifact": "v1",
        "policy": "abc",
        "snapshot": "7",
        "input_tokens": 12,
        "expected_output_tokens": 400,
        "expected_cost_usd": 0.0002,
        "expected_latency_ms": 900.0,
        "expected_quality": 0.9,
        "decide_ms": 0.3,
        "explanation": {"ranking": [{"deployment": "demo-economy", "total_usd": 0.01}]},
    }
    return DecisionRecord(**(values | changes))


def outcome(number=1, **changes):
    values = {
        "decision_id": f"dec_{number}",
        "finished_at": 1_001.0 + number,
        "status": "ok",
        "deployment": "demo-economy",
        "streamed": True,
        "usage": Usage(12, 30, None),
        "cost_usd": 0.0001,
        "first_token_ms": 180.0,
        "latency_ms": 400.0,
        "attempts": (Attempt("demo-economy", "ok", 400.0),),
    }
    return Outcome(**(values | changes))


def feedback(number=1, of=1, **changes):
    values = {
        "feedback_id": f"fb_{number}",
        "decision_id": f"dec_{of}",
        "created_at": 2_000.0 + number,
        "source": "user",
        "score": 1.0,
    }
    return Feedback(**(values | changes))
