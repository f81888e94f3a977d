"""What becomes of feedback before it is stored: whose it is, whether it came before, what it compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from serving.errors import Conflict, InvalidRequest, NotFound
from serving.records import Feedback

Row = Mapping[str, Any]

# What makes two deliveries of one id the same; the moment does not, where a sender tries again later.
_CONTENT = ("source", "score", "thumb", "label", "comment")


def decisions_in(given: Feedback) -> list[str]:
    """Return the ids of the decisions that feedback speaks of."""
    return [given.decision_id, *([given.other_decision_id] if given.other_decision_id else [])]


def belongs_to(caller: str | None, rows: Mapping[str, Row]) -> dict[str, Row]:
    """Return those logged decisions that came with a caller's key: of others nobody is told anything."""
    return {decision_id: row for decision_id, row in rows.items() if row["caller"] == caller}


def accepted(given: Feedback, rows: Mapping[str, Row]) -> Feedback | None:
    """Return feedback as it is to be stored, None where it has been delivered before.

    `rows` are the logged decisions it may speak of, by id. Raise NotFound where one is not among them,
    Conflict where its id already says something else, InvalidRequest where it compares nothing.
    """
    row = _row(given.decision_id, rows, "decision_id")
    if given.other_decision_id is not None:
        if given.other_decision_id == given.decision_id:
            raise InvalidRequest(
                "comparison.other_decision_id: is the decision itself. Name the one it is compared with.",
                param="comparison.other_decision_id",
            )
        other = _row(given.other_decision_id, rows, "comparison.other_decision_id")
        given = replace(given, other_tier=answered_by(other))
    before = next((one for one in row["feedback"] if one["feedback_id"] == given.feedback_id), None)
    if before is None:
        return given
    if not _same(given, before):
        raise Conflict(
            f"feedback_id: {given.feedback_id!r} already says something else of this decision. "
            "Give each piece of feedback an id of its own; the last of a source counts.",
            param="feedback_id",
        )
    return None


def answered_by(row: Row) -> str | None:
    """Return the tier that answered a logged decision: a fallback's, where one answered."""
    outcome = row["outcome"]
    tier: str | None = row["tier"] if outcome is None else outcome["tier"]
    return tier


def unknown(decision_id: str, param: str = "decision_id") -> NotFound:
    """Return the error about a decision that is not there, or is somebody else's."""
    return NotFound(
        f"There is no decision {decision_id!r} in this log. "
        "Send the id of the x-weighbridge-decision-id header or of /route's answer.",
        param=param,
    )


def shown(given: Feedback) -> dict[str, Any]:
    """Return accepted feedback as the log's row of its decision will show it to `accepted`."""
    compared = {"other_decision_id": given.other_decision_id, "prefers": given.prefers}
    return {
        "feedback_id": given.feedback_id,
        **{name: getattr(given, name) for name in _CONTENT},
        "comparison": compared if given.is_comparison else None,
    }


def _row(decision_id: str, rows: Mapping[str, Row], param: str) -> Row:
    if decision_id not in rows:
        raise unknown(decision_id, param)
    return rows[decision_id]


def _same(given: Feedback, before: Row) -> bool:
    compared = before["comparison"] or {}
    return all(getattr(given, name) == before[name] for name in _CONTENT) and all(
        getattr(given, name) == compared.get(name) for name in ("other_decision_id", "prefers")
    )
