"""Feedback as it is sent, by one caller or in a file, becomes feedback as it is kept."""

from __future__ import annotations

import secrets
import time

from serving.api.schemas import FeedbackBody
from serving.errors import InvalidRequest
from serving.records import Feedback

# How far the clock of a sender may be ahead.
_AHEAD_S = 300.0


def opinion(body: FeedbackBody, feedback_id: str | None = None) -> Feedback:
    """Return what was sent as feedback; without an id of its own it gets the given one, or a new one.

    Raise InvalidRequest where it says nothing, or comes from the future.
    """
    graded = not (body.score is None and body.label is None and body.thumb is None)
    if graded == (body.comparison is not None):
        raise InvalidRequest(
            "score: send a grade (score from 0 to 1, thumb, label, or several of them) or a comparison, "
            "one of the two.",
            param="score",
        )
    now_s = time.time()
    if body.given_at is not None and body.given_at > now_s + _AHEAD_S:
        raise InvalidRequest(
            f"given_at: {body.given_at} lies in the future. Send Unix seconds.", param="given_at"
        )
    compared = body.comparison
    return Feedback(
        feedback_id=body.feedback_id or feedback_id or f"fb_{secrets.token_hex(12)}",
        decision_id=body.decision_id,
        # never later than it arrived: what a sender whose clock is ahead says next must count as later
        created_at=now_s if body.given_at is None else min(body.given_at, now_s),
        source=body.source,
        score=body.score,
        label=body.label,
        comment=body.comment,
        thumb=body.thumb,
        other_decision_id=compared.other_decision_id if compared else None,
        prefers=compared.prefers if compared else None,
    )
