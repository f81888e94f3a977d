"""What a decision went by comes back from the log as it was, whatever it was, and takes little room."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.records import Prediction
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Limits, RoutingRequest
from serving.routing.router import Inputs, decide
from serving.routing.snapshot import DeploymentState, Snapshot, Traffic
from serving.state.inputs import Kept, Unpacker, UnreadableInputs
from serving.state.sqlite import SQLiteLog
from tests.serving.routing.strategies import TIERS, worlds
from tests.serving.state.records import decision

PREDICTION = Prediction(TIERS, (0.1 + 0.2, 0.7, 1.0), "v1")
REQUEST = RoutingRequest("dec_1", 10, 100, 100)


def catalog(count):
    rows = [Deployment(f"d{place}", "m", "demo", "economy", {"economy": 0.9}) for place in range(count)]
    return Catalog({row.name: row for row in rows})


def snapshot(catalog, version="1", **changed):
    states = {row.name: DeploymentState(100.0, 50.0) for row in catalog}
    return Snapshot(version, states | changed)


def inputs_of(catalog, snapshot, policy=Policy(), request=REQUEST):  # noqa: B008
    return Inputs(request, PREDICTION, catalog, snapshot, policy)


def pack_all(all_inputs):
    """Return what each record needed beside its row, the rows, and all parts together."""
    kept, rows, needed = Kept(), [], []
    for inputs in all_inputs:
        packed, parts, kept = kept.packed(decision(1, inputs=inputs))
        rows.append(packed)
        needed.append(parts)
    return rows, needed, {key: body for parts in needed for key, body in parts.items()}


@given(st.lists(worlds(), min_size=1, max_size=5))
@settings(deadline=None, max_examples=150)
def test_inputs_come_back_as_they_were_and_give_the_same_decision(given_worlds):
    rows, _, parts = pack_all(Inputs(*world) for world in given_worlds)
    unpacker = Unpacker(parts.get)
    for world, row in zip(given_worlds, rows, strict=True):
        back = unpacker.unpack(row).inputs
        assert back == Inputs(*world)
        assert list(back.catalog.deployments) == list(world[2].deployments)
        again, before = decide(*back), decide(*world)
        assert again == before
        assert repr(again.ranking) == repr(before.ranking)


def test_every_field_of_what_a_decision_goes_by_is_logged():
    given = inputs_of(
        catalog(2),
        replace(snapshot(catalog(2)), traffic=Traffic(9, 0.5, math.inf, False, True)),
        Policy(control_share=0.1),
        replace(REQUEST, control_draw=0.25, rules=("a",), sensitive=("card",), kind="k", only=frozenset("d")),
    )
    (row,), _, parts = pack_all([given])
    back = Unpacker(parts.get).unpack(row).inputs
    for part, other in zip(back, given, strict=True):
        for field in fields(part):
            assert getattr(part, field.name) == getattr(other, field.name), field.name


def test_what_decisions_share_is_stored_once():
    rows = catalog(100)
    frozen = snapshot(rows)
    _, needed, _ = pack_all([inputs_of(rows, replace(frozen, traffic=Traffic(n))) for n in range(50)])
    assert [len(parts) for parts in needed] == [3] + [0] * 49


def test_a_table_that_changed_in_one_row_costs_one_row():
    rows = catalog(1_000)
    slower = snapshot(rows, "2", d7=DeploymentState(900.0, 50.0))
    _, needed, _ = pack_all([inputs_of(rows, snapshot(rows)), inputs_of(rows, slower)])
    (whole,) = (body for key, body in needed[0].items() if key.startswith("tables-"))
    (changed,) = needed[1].values()
    assert len(changed) < 400 < len(whole) / 50


def test_a_long_row_of_changes_reads_back_at_every_place():
    rows = catalog(3)
    given = [
        inputs_of(rows, snapshot(rows, str(n), **{f"d{n % 3}": DeploymentState(float(n), 50.0)}))
        for n in range(700)
    ]
    packed, _, parts = pack_all(given)
    unpacker = Unpacker(parts.get)
    assert [unpacker.unpack(row).inputs for row in reversed(packed)] == given[::-1]
    assert Unpacker(parts.get).unpack(packed[600]).inputs == given[600]


def test_a_deployment_that_leaves_the_tables_is_gone_when_they_are_read():
    rows = catalog(2)
    fewer = Snapshot("2", {"d0": DeploymentState(1.0, 1.0)})
    packed, _, parts = pack_all([inputs_of(rows, snapshot(rows)), inputs_of(catalog(1), fewer)])
    assert Unpacker(parts.get).unpack(packed[1]).inputs.snapshot == fewer


def test_a_name_that_no_database_takes_does_not_cost_the_decision():
    strange = replace(REQUEST, limits=Limits(compliance=frozenset({"\ud800"})))
    (row,), _, parts = pack_all([inputs_of(catalog(1), snapshot(catalog(1)), request=strange)])
    assert Unpacker(parts.get).unpack(row).inputs.request.limits.compliance == {"?"}


def test_a_number_beyond_all_columns_does_not_cost_the_decision():
    endless = replace(REQUEST, reserved_output_tokens=10**40)
    (row,), _, parts = pack_all([inputs_of(catalog(1), snapshot(catalog(1)), request=endless)])
    assert Unpacker(parts.get).unpack(row).inputs.request.reserved_output_tokens == 2**63 - 1


def test_inputs_that_are_missing_cut_short_or_of_another_version_are_told():
    (row,), _, parts = pack_all([inputs_of(catalog(1), snapshot(catalog(1)))])
    for packed, told in (
        (None, "earlier version"),
        (row[:20], "another version"),
        (b"\x80", "another version"),
    ):
        with pytest.raises(UnreadableInputs, match=told):
            Unpacker(parts.get).unpack(packed)
    with pytest.raises(UnreadableInputs, match="lacks the catalog"):
        Unpacker({}.get).unpack(row)


def test_the_log_gives_back_inputs_with_what_the_classifier_reads_beside_the_prompt(tmp_path):
    given = inputs_of(catalog(2), snapshot(catalog(2)))
    log = SQLiteLog(tmp_path / "d.db")
    log.write([decision(1, inputs=given, tools=3, response_format="json_schema"), decision(2)])
    one, two = log.entries()
    assert one.logged.inputs == given
    assert (one.logged.tools, one.logged.response_format) == (3, "json_schema")
    assert (one.row["decision_id"], two.row["decision_id"], two.logged) == ("dec_1", "dec_2", None)
    assert "earlier version" in two.problem
    assert [entry.row["decision_id"] for entry in log.entries(1_001.5, 1_002.5)] == ["dec_2"]
    assert [entry.row["decision_id"] for entry in log.entries(until=1_002.0)] == ["dec_1"]
    log.close()


def test_a_batch_that_was_not_stored_leaves_its_parts_to_the_next(tmp_path):
    given = inputs_of(catalog(2), snapshot(catalog(2)))
    log = SQLiteLog(tmp_path / "d.db")
    with pytest.raises(OverflowError):
        log.write([decision(1, inputs=given), decision(2, input_tokens=10**30)])
    log.write([decision(1, inputs=given)])
    (entry,) = log.entries()
    assert entry.logged.inputs == given
    log.close()


def test_two_processes_may_write_one_log(tmp_path):
    rows = catalog(2)
    one, other = SQLiteLog(tmp_path / "d.db"), SQLiteLog(tmp_path / "d.db")
    given = [inputs_of(rows, snapshot(rows, str(n), d0=DeploymentState(1.0 + n, 1.0))) for n in range(6)]
    for number, each in enumerate(given):
        (one, other)[number % 2].write([decision(number, inputs=each)])
    assert [entry.logged.inputs for entry in one.entries()] == given
    one.close()
    other.close()


def test_deployments_come_back_in_the_order_of_the_settings():
    """The reasons of a decision are told in that order."""
    rows = Catalog(dict(reversed(catalog(5).deployments.items())))
    (row,), _, parts = pack_all([inputs_of(rows, snapshot(rows))])
    assert list(Unpacker(parts.get).unpack(row).inputs.catalog.deployments) == ["d4", "d3", "d2", "d1", "d0"]
