"""The decision log as Parquet: the fields of its export, typed, in pieces that are read one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from serving.state.rows import EXPORT_SCHEMA

# What is held in memory at once; an explanation takes some kilobytes.
_PIECE_ROWS = 2_000

_VECTORS = pa.struct(
    [
        ("encoder", pa.string()),
        ("feature_schema", pa.int32()),
        ("embedding", pa.binary()),
        ("features", pa.binary()),
    ]
)
_SHADOW = pa.struct(
    [
        ("artifact", pa.string()),
        ("required_tier", pa.string()),
        ("sufficiency", pa.map_(pa.string(), pa.float64())),
    ]
)
_ATTEMPT = pa.struct(
    [
        ("deployment", pa.string()),
        ("status", pa.string()),
        ("latency_ms", pa.float64()),
        ("error", pa.string()),
        ("http_status", pa.int32()),
        ("charged_usd", pa.float64()),
    ]
)
_OUTCOME = pa.struct(
    [
        ("finished_at", pa.float64()),
        ("status", pa.string()),
        ("deployment", pa.string()),
        ("tier", pa.string()),
        ("streamed", pa.bool_()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("cached_input_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("first_token_ms", pa.float64()),
        ("latency_ms", pa.float64()),
        ("attempts", pa.list_(_ATTEMPT)),
        ("error", pa.string()),
    ]
)
_COMPARISON = pa.struct(
    [("other_decision_id", pa.string()), ("other_tier", pa.string()), ("prefers", pa.string())]
)
_OPINION = pa.struct(
    [
        ("feedback_id", pa.string()),
        ("created_at", pa.float64()),
        ("source", pa.string()),
        ("score", pa.float64()),
        ("label", pa.string()),
        ("comment", pa.string()),
        ("thumb", pa.string()),
        ("weight", pa.float64()),
        ("comparison", _COMPARISON),
        ("holds", pa.bool_()),
    ]
)
SCHEMA = pa.schema(
    [
        ("schema", pa.string()),
        ("decision_id", pa.string()),
        ("created_at", pa.float64()),
        ("endpoint", pa.string()),
        ("requested_model", pa.string()),
        ("deployment", pa.string()),
        ("tier", pa.string()),
        ("reason", pa.string()),
        ("propensity", pa.float64()),
        ("sufficiency", pa.map_(pa.string(), pa.float64())),
        ("prediction_source", pa.string()),
        ("artifact", pa.string()),
        ("policy", pa.string()),
        ("snapshot", pa.string()),
        ("input_tokens", pa.int64()),
        ("expected_output_tokens", pa.int64()),
        ("expected_cost_usd", pa.float64()),
        ("expected_latency_ms", pa.float64()),
        ("expected_quality", pa.float64()),
        ("decide_ms", pa.float64()),
        # as JSON: what a decision explains grows with the catalog and with every version
        ("explanation", pa.string()),
        ("prompt", pa.string()),
        ("caller", pa.string()),
        ("conversation", pa.string()),
        ("tools", pa.int32()),
        ("response_format", pa.string()),
        ("vectors", _VECTORS),
        ("shadow", _SHADOW),
        ("outcome", _OUTCOME),
        ("feedback", pa.list_(_OPINION)),
    ],
    metadata={"weighbridge.schema": EXPORT_SCHEMA},
)


def write_parquet(decisions: Iterable[dict[str, Any]], out: IO[bytes]) -> None:
    """Write exported decisions, piece by piece; a file that lacks its end is no Parquet file."""
    with pq.ParquetWriter(out, SCHEMA, compression="zstd") as writer:
        for piece in _pieces(decisions):
            writer.write_batch(pa.RecordBatch.from_pylist(piece, schema=SCHEMA))


def _pieces(decisions: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = map(_row, decisions)
    while piece := list(islice(rows, _PIECE_ROWS)):
        yield piece


def _row(decision: dict[str, Any]) -> dict[str, Any]:
    shadow = decision["shadow"]
    return decision | {
        "shadow": shadow and shadow | {"sufficiency": list(shadow["sufficiency"].items())},
        "sufficiency": list(decision["sufficiency"].items()),
        "explanation": msgspec.json.encode(decision["explanation"]).decode(),
    }
