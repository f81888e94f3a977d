"""One log that both sides of the contract are held against: written by serving, read by training."""

from __future__ import annotations

import numpy as np

from classifier.features import FEATURE_NAMES, FEATURE_SCHEMA_VERSION
from serving.records import ShadowPrediction, Vectors
from tests.serving.state.records import TIERS, decision, feedback, outcome

ENCODER = "static-0123456789abcdef"
DIMENSIONS = 4
RANKING = [
    {"deployment": "small", "tier": "economy"},
    {"deployment": "middle", "tier": "standard"},
    {"deployment": "large", "tier": "premium"},
]


def vectors(number, **changes):
    embedding = np.full(DIMENSIONS, 0.1 * number, dtype="<f4")
    features = np.arange(len(FEATURE_NAMES), dtype="<f4") + number
    values = {
        "encoder": ENCODER,
        "feature_schema": FEATURE_SCHEMA_VERSION,
        "embedding": embedding.tobytes(),
        "features": features.tobytes(),
    }
    return Vectors(**(values | changes))


def answered(number, deployment="small", tier="economy", **changes):
    """Return a decision with its outcome, logged with its vectors."""
    values = {"vectors": vectors(number), "conversation": f"c{number}", "caller": "shop"}
    made = decision(
        number, deployment=deployment, tier=tier, explanation={"ranking": RANKING}, **(values | changes)
    )
    return [made, outcome(number, deployment=deployment)]


# number: what is logged of it, and the answers to "is economy enough?" and "is standard enough?"
CASES = {
    1: ([*answered(1), feedback(1, of=1, source="human", score=None, label="too_weak")], [0, None]),
    2: ([*answered(2), feedback(1, of=2, source="human", score=None, thumb="up")], [1, 1]),
    3: (
        [
            *answered(3, "middle", "standard", propensity=0.05),
            feedback(1, of=3, source="human", score=None, label="overkill"),
        ],
        [1, 1],
    ),
    4: ([*answered(4, "large", "premium"), feedback(1, of=4, source="check", score=0.9)], None),
    5: ([*answered(5, "middle", "standard"), feedback(1, of=5, source="human", score=0.1)], [0, 0]),
    6: (
        # said otherwise later: the last word of a source holds
        [
            *answered(6, "middle", "standard"),
            feedback(1, of=6, source="human", score=0.0),
            feedback(2, of=6, source="human", score=1.0),
        ],
        [None, 1],
    ),
    7: (
        # two sources that contradict each other
        [
            *answered(7, "middle", "standard"),
            feedback(1, of=7, source="human", score=1.0),
            feedback(2, of=7, source="judge", score=0.0, weight=0.5),
        ],
        [0, round(2 / 3, 9)],
    ),
    8: (
        # a fallback of another tier answered
        [
            *answered(8)[:1],
            outcome(8, deployment="large"),
            feedback(1, of=8, source="human", score=0.0),
        ],
        [0, 0],
    ),
    9: (
        [
            *answered(9, "large", "premium"),
            feedback(
                1, of=9, source="human", score=None,
                other_decision_id="dec_1", other_tier="economy", prefers="neither",
            ),
        ],
        [1, 1],
    ),
    10: (
        [
            *answered(10),
            feedback(
                1, of=10, source="human", score=None,
                other_decision_id="dec_3", other_tier="standard", prefers="other",
            ),
        ],
        [0, None],
    ),
    11: (
        [
            decision(
                11, prompt='[{"role":"user","content":"ß 漢"}]', tools=2, response_format="json_schema",
                explanation={"ranking": RANKING},
            ),
            feedback(1, of=11, source="human", score=1.0),
        ],
        [1, 1],
    ),
    12: (answered(12, shadow=lambda: ShadowPrediction("next", TIERS, (0.1, 0.2, 1.0), "premium")), None),
    13: ([*answered(13), feedback(1, of=13, source="human", score=0.5)], None),
    14: ([decision(14), feedback(1, of=14, source="human", score=1.0)], None),
    15: ([*answered(15)[:1], outcome(15, status="error"), feedback(1, of=15, source="human")], None),
    16: ([*answered(16, vectors=vectors(1, encoder="other-1")), feedback(1, of=16, source="human")], None),
    17: ([*answered(17, endpoint="judge"), feedback(1, of=17, source="human")], None),
    18: ([*answered(18, vectors=vectors(1, features=b"1234")), feedback(1, of=18, source="human")], None),
    # somebody who was not in the ranking answered
    19: ([*answered(19)[:1], outcome(19, deployment="elsewhere"), feedback(1, of=19, source="human")], None),
}  # fmt: skip
LABELS = {number: label for number, (_, label) in CASES.items() if label is not None}
LEFT_OUT = {
    "not graded": 1,
    "say of no tier whether it is enough (a good answer of the dearest, a middling score)": 2,
    "logged without text or features": 1,
    "not answered": 1,
    "embedded by another encoder": 1,
    "not routed by what the prompt needs": 1,
    "vectors of another length": 1,
    "answered by a tier that is not on the scale": 1,
}


def records():
    return [record for logged, _ in CASES.values() for record in logged]
