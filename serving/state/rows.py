"""The shapes a record takes on its way through the log: plain values in, documented dictionaries out.

`docs/decision-log.md` describes the dictionaries; a change of shape needs a new `EXPORT_SCHEMA`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from operator import attrgetter
from typing import Any

import msgspec

from serving.records import DecisionRecord, Feedback, Outcome, Vectors

EXPORT_SCHEMA = "weighbridge.decision-log/2"

Row = Mapping[str, Any]

# The order of these names is the order of the columns.
DECISION_COLUMNS = (
    "decision_id", "created_at", "endpoint", "requested_model", "deployment", "tier", "reason",
    "propensity", "sufficiency", "prediction_source", "artifact", "policy", "snapshot", "input_tokens",
    "expected_output_tokens", "expected_cost_usd", "expected_latency_ms", "expected_quality", "decide_ms",
    "explanation", "prompt", "caller", "conversation", "tools", "response_format", "vectors",
    "shadow",
)  # fmt: skip
OUTCOME_COLUMNS = (
    "decision_id", "finished_at", "status", "deployment", "streamed", "input_tokens", "output_tokens",
    "cached_input_tokens", "cost_usd", "first_token_ms", "latency_ms", "attempts", "error",
)  # fmt: skip
FEEDBACK_COLUMNS = (
    "feedback_id", "decision_id", "created_at", "source", "score", "label", "comment", "thumb",
    "other_decision_id", "other_tier", "prefers", "weight",
)  # fmt: skip
_COMPARISON = ("other_decision_id", "other_tier", "prefers")
_OF_USAGE = ("input_tokens", "output_tokens", "cached_input_tokens")

# All columns in one call, for there are many; those that are no plain values are then put in their places.
_of_decision = attrgetter(*DECISION_COLUMNS)
_of_outcome = attrgetter(*(f"usage.{name}" if name in _OF_USAGE else name for name in OUTCOME_COLUMNS))
_of_feedback = attrgetter(*FEEDBACK_COLUMNS)
_SUFFICIENCY, _EXPLANATION, _VECTORS, _SHADOW = map(
    DECISION_COLUMNS.index, ("sufficiency", "explanation", "vectors", "shadow")
)
_ATTEMPTS = OUTCOME_COLUMNS.index("attempts")


def decision_values(record: DecisionRecord) -> tuple[Any, ...]:
    """Return a decision's values in the order of DECISION_COLUMNS."""
    sufficiency = dict(zip(record.tiers, record.sufficiency, strict=True))
    explanation = record.explanation() if callable(record.explanation) else record.explanation
    values = list(_of_decision(record))
    values[_SUFFICIENCY] = _to_json(sufficiency)
    values[_EXPLANATION] = _to_json(explanation)
    values[_VECTORS] = None if record.vectors is None else _packed(record.vectors)
    values[_SHADOW] = _shadow(record)
    return _storable_row(values)


def outcome_values(record: Outcome) -> tuple[Any, ...]:
    """Return an outcome's values in the order of OUTCOME_COLUMNS."""
    values = list(_of_outcome(record))
    values[_ATTEMPTS] = _to_json(record.attempts)
    return _storable_row(values)


def feedback_values(record: Feedback) -> tuple[Any, ...]:
    """Return feedback's values in the order of FEEDBACK_COLUMNS."""
    return _storable_row(_of_feedback(record))


def exported(decision: Row, outcome: Row | None, feedback: Iterable[Row]) -> dict[str, Any]:
    """Return one decision with all that followed, as it is exported."""
    shown = {name: decision[name] for name in DECISION_COLUMNS}
    shown["sufficiency"] = msgspec.json.decode(shown["sufficiency"])
    shown["explanation"] = msgspec.json.decode(shown["explanation"])
    shown["shadow"] = None if shown["shadow"] is None else msgspec.json.decode(shown["shadow"])
    shown["vectors"] = None if shown["vectors"] is None else asdict(_unpacked(shown["vectors"]))
    return {
        "schema": EXPORT_SCHEMA,
        **shown,
        "outcome": None if outcome is None else _outcome(outcome, shown["explanation"]),
        "feedback": _opinions(feedback),
    }


def given(row: Row) -> Feedback:
    """Return feedback as it was stored."""
    return Feedback(**{name: row[name] for name in FEEDBACK_COLUMNS})


def _opinions(stored: Iterable[Row]) -> list[dict[str, Any]]:
    """Return feedback, oldest first; of each source the last grade and the last comparison hold."""
    shown: list[dict[str, Any]] = []
    holding: dict[tuple[str, bool], int] = {}
    for place, row in enumerate(stored):
        opinion = _without_decision_id(row, [name for name in FEEDBACK_COLUMNS if name not in _COMPARISON])
        opinion["comparison"] = {name: row[name] for name in _COMPARISON} if row["prefers"] else None
        shown.append(opinion)
        holding[row["source"], row["prefers"] is not None] = place
    for place, opinion in enumerate(shown):
        opinion["holds"] = place in holding.values()
    return shown


def _outcome(row: Row, explanation: Row) -> dict[str, Any]:
    shown = _without_decision_id(row, OUTCOME_COLUMNS)
    # a fallback may have answered, of another tier than the first choice
    ranked = {one.get("deployment"): one.get("tier") for one in explanation.get("ranking", ())}
    shown["tier"] = ranked.get(shown["deployment"])
    shown["streamed"] = bool(shown["streamed"])
    shown["attempts"] = msgspec.json.decode(shown["attempts"])
    return shown


def _without_decision_id(row: Row, columns: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in columns if name != "decision_id"}


def _shadow(record: DecisionRecord) -> str | None:
    said = record.shadow() if record.shadow is not None else None
    if said is None:
        return None
    sufficiency = dict(zip(said.tiers, said.sufficiency, strict=True))
    return _to_json(
        {"artifact": said.artifact, "required_tier": said.required_tier, "sufficiency": sufficiency}
    )


def _packed(vectors: Vectors) -> bytes:
    """Pack vectors: most features of a prompt are 0, an embedding has no slack in it."""
    features = zlib.compress(vectors.features, 1)
    return msgspec.msgpack.encode((vectors.encoder, vectors.feature_schema, vectors.embedding, features))


def _unpacked(packed: bytes) -> Vectors:
    encoder, feature_schema, embedding, features = msgspec.msgpack.decode(packed)
    return Vectors(encoder, feature_schema, embedding, zlib.decompress(features))


def _to_json(value: Any) -> str:
    """Encode plain values; what is not a number (NaN, infinity) becomes null, as JSON has no word for it."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(_cleaned(msgspec.to_builtins(value))).decode()


def _cleaned(value: Any) -> Any:
    """Return the value with lone surrogates replaced, however deep they sit."""
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value


def _storable_row(values: Iterable[Any]) -> tuple[Any, ...]:
    # most values are ASCII or numbers: not a call for each of them
    return tuple(
        [_storable(value) if isinstance(value, str) and not value.isascii() else value for value in values]
    )


def _storable(value: Any) -> Any:
    """Replace lone surrogates, which JSON lets in and no database takes."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "replace").decode()
    return value
