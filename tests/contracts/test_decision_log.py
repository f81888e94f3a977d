"""What serving exports is what docs/decision-log.md says, and what training reads, in both formats."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from classifier.reading import read
from serving.cli.export import export_log
from serving.state.rows import EXPORT_SCHEMA
from serving.state.sqlite import SQLiteLog
from tests.contracts.decision_log import DIMENSIONS, ENCODER, LABELS, LEFT_OUT, records, vectors
from tests.serving.state.records import TIERS
from training import decision_log
from training.decision_log import ExportError, pieces
from training.feedback import FeedbackConfig, graded, material

DOCS = Path(__file__).parents[2] / "docs" / "decision-log.md"
FORMATS = ("jsonl", "parquet")


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Return the contract's log, exported by the real command in each format."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / "weighbridge.toml").write_text(f'log.path = "{folder}/kept.db"')
    log = SQLiteLog(folder / "kept.db")
    log.write(records())
    log.close()
    found = {}
    for form in FORMATS:
        found[form] = folder / f"log.{form}"
        arguments = ["--format", form, "-o", str(found[form]), "--config", str(folder / "weighbridge.toml")]
        result = CliRunner().invoke(export_log, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return found


def fields_in(value):
    """Return the names of a decision's fields, those of nested ones with a dot before them."""
    for name, inner in value.items():
        yield name
        nested = inner[0] if isinstance(inner, list) and inner else inner
        if name in ("outcome", "feedback", "vectors", "shadow") and isinstance(nested, dict):
            yield from (f".{each}" for each in nested)


def test_every_exported_field_is_documented_and_every_documented_field_is_exported(exports):
    documented = {
        name
        for line in DOCS.read_text().splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    rows = [msgspec.json.decode(line) for line in exports["jsonl"].read_bytes().splitlines()]
    assert {name for row in rows for name in fields_in(row)} == documented
    assert {row["schema"] for row in rows} == {EXPORT_SCHEMA}


def test_both_formats_hold_the_same(exports):
    lines = [msgspec.json.decode(line) for line in exports["jsonl"].read_bytes().splitlines()]
    table = pq.read_table(exports["parquet"])
    rows = table.to_pylist()
    assert table.schema.metadata[b"weighbridge.schema"].decode() == EXPORT_SCHEMA
    for row in rows:
        row["sufficiency"] = dict(row["sufficiency"])
        if row["shadow"]:
            row["shadow"]["sufficiency"] = dict(row["shadow"]["sufficiency"])
        row["explanation"] = msgspec.json.decode(row["explanation"])
    assert msgspec.json.decode(msgspec.json.encode(rows)) == lines


def test_training_reads_the_schema_that_serving_writes():
    assert decision_log.SCHEMA == EXPORT_SCHEMA


@pytest.mark.parametrize("form", FORMATS)
def test_training_makes_the_labels_that_the_feedback_says(exports, form):
    found = graded([exports[form]], TIERS, FeedbackConfig(), ENCODER)
    numbers = [place + 1 for place in found.places]
    answers = [[None if math.isnan(one) else round(one, 9) for one in row] for row in found.labels.targets]
    assert dict(zip(numbers, answers, strict=True)) == LABELS
    assert found.report["left_out"] == LEFT_OUT
    assert (found.report["decisions"], found.report["graded"]) == (19, len(LABELS))


@pytest.mark.parametrize("form", FORMATS)
def test_training_gets_the_vectors_and_texts_of_just_these_rows(exports, form, monkeypatch):
    monkeypatch.setattr(decision_log, "PIECE_ROWS", 4)
    found = graded([exports[form]], TIERS, FeedbackConfig(), ENCODER)
    got, texts = {}, {}
    for piece in material([exports[form]], found.places):
        got.update(zip(piece.with_vectors.tolist(), piece.vectors, strict=True))
        texts.update(zip(piece.with_text.tolist(), piece.readings, strict=True))
    assert sorted([*got, *texts]) == list(range(len(LABELS)))
    for row, joined in got.items():
        kept = vectors(int(found.places[row]) + 1)
        assert joined[:DIMENSIONS].tobytes() == kept.embedding
        assert joined[DIMENSIONS:].tobytes() == kept.features
    (reading,) = texts.values()
    said = {"messages": [{"role": "user", "content": "ß 漢"}], "tools": [{}, {}]}
    assert reading == read(said | {"response_format": {"type": "json_schema"}})


def test_an_export_is_read_in_pieces(exports, monkeypatch):
    monkeypatch.setattr(decision_log, "PIECE_ROWS", 5)
    for form in FORMATS:
        assert [len(piece) for piece in pieces(exports[form])] == [5, 5, 5, 4]


def test_of_overlapping_exports_each_decision_counts_once(exports):
    found = graded([exports["jsonl"], exports["parquet"]], TIERS, FeedbackConfig(), ENCODER)
    assert found.report["graded"] == len(LABELS)
    assert found.report["left_out"]["in another export already"] == 19


def refusal(export):
    with pytest.raises(ExportError) as refused:
        list(pieces(export))
    return str(refused.value)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.999])
def test_a_parquet_file_cut_short_is_refused(exports, tmp_path, kept):
    content = exports["parquet"].read_bytes()
    (tmp_path / "cut.parquet").write_bytes(content[: max(int(len(content) * kept), 6)])
    assert "not a whole Parquet file" in refusal(tmp_path / "cut.parquet")


def test_lines_cut_short_are_refused_with_their_number(exports, tmp_path):
    (tmp_path / "cut.jsonl").write_bytes(exports["jsonl"].read_bytes()[:-20])
    assert "line 19: cut short" in refusal(tmp_path / "cut.jsonl")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("weighbridge.decision-log/3", "newer Weighbridge"),
        ("weighbridge.decision-log/1", "earlier schema"),
        ("something/2", "no export"),
    ],
)
def test_another_schema_is_refused_with_the_way_out(exports, tmp_path, form, schema, told):
    path = tmp_path / f"other.{form}"
    if form == "jsonl":
        # a newer one may have another shape as well
        path.write_bytes(b'{"schema": "%s", "decision": 7}\n' % schema.encode())
    else:
        table = pq.read_table(exports[form])
        pq.write_table(table.replace_schema_metadata({"weighbridge.schema": schema}), path)
    assert told in refusal(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("propensity", 0.0), ("propensity", 1.5), ("propensity", "1"), ("tools", None), ("feedback", None)],
)
def test_a_row_that_has_not_the_shape_is_told_by_its_number(exports, tmp_path, field, value):
    first, second, *_ = exports["jsonl"].read_bytes().splitlines()
    row = msgspec.json.decode(second) | {field: value}
    (tmp_path / "odd.jsonl").write_bytes(first + b"\n" + msgspec.json.encode(row) + b"\n")
    message = refusal(tmp_path / "odd.jsonl")
    assert "line 2" in message
    assert field in message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["score", "weight", "propensity"])
def test_what_is_not_a_number_is_refused_where_a_format_can_hold_it(exports, tmp_path, place, value):
    table = pq.read_table(exports["parquet"])
    rows = table.to_pylist()
    odd = rows[4] if place == "propensity" else rows[4]["feedback"][0]
    odd[place] = value
    pq.write_table(type(table).from_pylist(rows, schema=table.schema), tmp_path / "odd.parquet")
    message = refusal(tmp_path / "odd.parquet")
    assert "row 5" in message
    assert place in message


def test_a_file_that_is_not_there_or_of_something_else_is_told(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "nowhere.jsonl")
    (tmp_path / "notes.txt").write_text("my notes\n")
    assert "line 1" in refusal(tmp_path / "notes.txt")
