"""The log keeps what it is given, survives what happens to files, and refuses what is not its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import ConfigurationError
from serving.records import Vectors
from serving.state.interface import LogUnavailableError
from serving.state.rows import EXPORT_SCHEMA
from serving.state.sqlite import SQLiteLog
from tests.serving.state.older import write_older
from tests.serving.state.records import decision, feedback, outcome


@pytest.fixture
def log(tmp_path):
    opened = SQLiteLog(tmp_path / "log" / "decisions.db")
    yield opened
    opened.close()


def sql(log, statement, *values):
    connection = sqlite3.connect(log.path)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.commit()
        connection.close()


def test_a_decision_comes_back_with_its_outcome_and_feedback(log):
    log.write([decision(1), outcome(1), feedback(1, of=1), feedback(2, of=1, score=None, label="wrong")])
    (row,) = log.export()
    assert row["schema"] == EXPORT_SCHEMA
    assert row["sufficiency"] == {"economy": 0.8, "standard": 0.95, "premium": 1.0}
    assert row["explanation"] == decision(1).explanation
    assert row["outcome"]["output_tokens"] == 30
    assert row["outcome"]["streamed"] is True
    assert row["outcome"]["attempts"][0]["deployment"] == "demo-economy"
    assert [given["label"] for given in row["feedback"]] == [None, "wrong"]


def test_a_decision_without_outcome_or_feedback_comes_back_alone(log):
    log.write([decision(1)])
    (row,) = log.export()
    assert (row["outcome"], row["feedback"], row["prompt"]) == (None, [], None)


def test_the_export_goes_through_json_unchanged(log):
    log.write([decision(1, prompt="ß 漢 🙂"), outcome(1), feedback(1)])
    (row,) = log.export()
    assert json.loads(json.dumps(row)) == row


def test_storing_an_id_again_changes_nothing(log):
    log.write([decision(1), outcome(1), feedback(1)])
    log.write([decision(1, tier="premium"), outcome(1, status="error"), feedback(1, score=0.0), decision(2)])
    first, second = log.export()
    assert (first["tier"], first["outcome"]["status"], first["feedback"][0]["score"]) == (
        "economy",
        "ok",
        1.0,
    )
    assert second["decision_id"] == "dec_2"


def test_an_id_of_feedback_belongs_to_its_decision(log):
    log.write([decision(1), decision(2), feedback(1, of=1), feedback(1, of=2), feedback(1, of=2, score=0.0)])
    assert [[given["score"] for given in row["feedback"]] for row in log.export()] == [[1.0], [1.0]]


def test_vectors_come_back_bit_for_bit(log):
    vectors = Vectors("static-1", 3, bytes(range(256)) * 4, b"\0" * 500 + b"\x3f\x80\0\1")
    log.write([decision(1, vectors=vectors, conversation="c"), decision(2)])
    first, second = log.export()
    assert Vectors(**first["vectors"]) == vectors
    assert (first["conversation"], second["vectors"]) == ("c", None)
    assert sql(log, "SELECT length(vectors) FROM decisions")[0][0] < 1_100


def test_the_tier_of_an_outcome_is_that_of_who_answered(log):
    ranking = [{"deployment": "demo-economy", "tier": "economy"}, {"deployment": "other", "tier": "premium"}]
    log.write([decision(1, explanation={"ranking": ranking}), outcome(1, deployment="other"), decision(2)])
    log.write([outcome(2, deployment="not-ranked")])
    assert [row["outcome"]["tier"] for row in log.export()] == ["premium", None]


def test_many_decisions_are_found_at_once(log):
    log.write([decision(number) for number in range(1_200)])
    found = log.find_all([f"dec_{number}" for number in range(1_100, 1_300)] + ["dec_5"] * 600)
    assert sorted(found) == sorted([f"dec_{number}" for number in range(1_100, 1_200)] + ["dec_5"])
    assert log.find_all([]) == {}


def test_an_outcome_whose_decision_was_dropped_is_stored_all_the_same(log):
    log.write([outcome(5)])
    assert sql(log, "SELECT decision_id FROM outcomes") == [("dec_5",)]
    assert list(log.export()) == []


def test_a_batch_is_stored_whole_or_not_at_all(log):
    too_big_for_a_column = decision(2, input_tokens=10**30)
    with pytest.raises(OverflowError):
        log.write([decision(1), too_big_for_a_column])
    assert list(log.export()) == []


def test_a_record_without_a_required_value_is_refused_rather_than_ignored(log):
    with pytest.raises(sqlite3.IntegrityError):
        log.write([decision(1, endpoint=None)])


def test_a_log_that_cannot_write_right_now_says_that_trying_again_may_help(log):
    log._writer.execute("PRAGMA query_only = 1")
    with pytest.raises(LogUnavailableError):
        log.write([decision(1)])
    log._writer.execute("PRAGMA query_only = 0")
    log.write([decision(1)])
    assert log.find("dec_1")


def test_a_decision_is_found_by_its_id_and_only_where_it_is_stored(log):
    log.write([decision(1), feedback(1, of=9)])
    assert log.find("dec_1")
    assert log.find("dec_9") is None
    assert log.find("' OR 1=1 --") is None


def test_the_export_is_oldest_first_whatever_the_order_of_writing(log):
    log.write([decision(number) for number in (5, 1, 3)])
    log.write([decision(number) for number in (4, 2)])
    assert [row["decision_id"] for row in log.export()] == ["dec_1", "dec_2", "dec_3", "dec_4", "dec_5"]


def test_the_export_starts_at_the_moment_asked_for(log):
    log.write([decision(number) for number in range(1, 5)])
    assert [row["decision_id"] for row in log.export(since=1_003.0)] == ["dec_3", "dec_4"]


def test_decisions_of_the_same_moment_survive_the_edge_of_a_page(log):
    log.write([decision(number, created_at=1_000.0) for number in range(1_203)])
    assert len({row["decision_id"] for row in log.export()}) == 1_203


def test_what_is_written_during_an_export_does_not_keep_it_from_ending(log):
    log.write([decision(number) for number in range(600)])
    exported = log.export()
    next(exported)
    log.write([decision(number) for number in range(600, 2_000)])
    assert sum(1 for _ in exported) == 599


def test_an_export_may_be_left_in_the_middle(log):
    log.write([decision(number) for number in range(5)])
    next(log.export())
    log.write([decision(9)])
    assert log.find("dec_9")


def test_threads_read_while_another_writes(log):
    faults = []

    def read():
        try:
            for number in range(40):
                log.find(f"dec_{number}")
                list(log.export())
        except Exception as error:
            faults.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(40):
        log.write([decision(number)])
    for reader in readers:
        reader.join()
    assert faults == []


@settings(max_examples=40, deadline=None)
@given(
    text=st.text(alphabet=st.characters(exclude_categories=()), max_size=50),
    number=st.one_of(st.floats(), st.none()),
)
def test_no_text_and_no_number_of_a_caller_spoils_the_log(tmp_path_factory, text, number):
    log = SQLiteLog(tmp_path_factory.mktemp("log") / "decisions.db")
    try:
        log.write(
            [
                decision(
                    1, requested_model=text, prompt=text, expected_quality=number, explanation={text: [text]}
                ),
                outcome(1, error=text, cost_usd=number),
                feedback(1, label=text, comment=text, score=number),
            ]
        )
        (row,) = log.export()
        json.dumps(row, ensure_ascii=False).encode()
    finally:
        log.close()


def test_a_log_opens_again_with_what_it_held(tmp_path):
    path = tmp_path / "decisions.db"
    first = SQLiteLog(path)
    first.write([decision(1)])
    first.close()
    again = SQLiteLog(path)
    assert again.find("dec_1")
    again.close()


def test_two_processes_may_write_to_one_log(tmp_path):
    one, two = SQLiteLog(tmp_path / "decisions.db"), SQLiteLog(tmp_path / "decisions.db")
    one.write([decision(1)])
    two.write([decision(2)])
    assert [row["decision_id"] for row in one.export()] == ["dec_1", "dec_2"]
    one.close()
    two.close()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_only_its_owner_may_read_a_new_log(log):
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


KILLED = """
import sys
from pathlib import Path
from serving.state.sqlite import SQLiteLog
from tests.serving.state.older import write_older
from tests.serving.state.records import decision

log = SQLiteLog(Path(sys.argv[1]))
for batch in range(1_000_000):
    log.write([decision(batch * 10 + place) for place in range(10)])
    print(batch, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
def test_a_log_killed_while_writing_opens_again_with_whole_batches_only(tmp_path):
    path = tmp_path / "decisions.db"
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, cwd=root) as writer:
        written = [writer.stdout.readline() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
    log = SQLiteLog(path)
    try:
        assert sql(log, "PRAGMA integrity_check") == [("ok",)]
        count = sum(1 for _ in log.export())
        assert count % 10 == 0
        assert count >= 10 * len(written)
        log.write([decision(10**9)])
    finally:
        log.close()


def refusal(path):
    with pytest.raises(ConfigurationError) as refused:
        SQLiteLog(path)
    return refused.value.message


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my notes " * 500)
    message = refusal(path)
    assert "notes.txt" in message
    assert "log.path" in message
    assert path.read_text() == "my notes " * 500


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE orders (id)")
    connection.close()
    before = path.read_bytes()
    assert "something else" in refusal(path)
    assert path.read_bytes() == before


def test_a_log_of_a_newer_weighbridge_is_refused(tmp_path):
    path = tmp_path / "decisions.db"
    log = SQLiteLog(path)
    sql(log, "PRAGMA user_version = 99")
    log.close()
    message = refusal(path)
    assert "99" in message
    assert "Upgrade" in message


@pytest.mark.parametrize("version", [1, 2])
def test_a_log_of_an_earlier_version_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path, version):
    path = tmp_path / "decisions.db"
    write_older(path, version)
    log = SQLiteLog(path)
    log.write([decision(2, caller="shop", conversation="c1"), feedback(1, of=2), feedback(2, of=1)])
    first, second = log.export()
    assert (first["caller"], first["tools"], first["vectors"]) == ("batch" if version > 1 else None, 0, None)
    assert [(given["feedback_id"], given["label"], given["weight"]) for given in first["feedback"]] == [
        ("fb_1", "too_weak", 1.0),
        ("fb_2", None, 1.0),
    ]
    assert (second["conversation"], len(second["feedback"])) == ("c1", 1)
    log.close()
    SQLiteLog(path).close()


def test_a_log_cut_short_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "decisions.db"
    log = SQLiteLog(path)
    log.write([decision(number) for number in range(500)])
    log.close()
    path.write_bytes(path.read_bytes()[:5_000])
    assert "Move the file away" in refusal(path)


def test_damage_in_the_middle_is_told_when_an_export_meets_it(tmp_path):
    path = tmp_path / "decisions.db"
    log = SQLiteLog(path)
    log.write([decision(number) for number in range(2_000)])
    log.close()
    content = bytearray(path.read_bytes())
    content[40_000:60_000] = b"\xff" * 20_000
    path.write_bytes(bytes(content))
    damaged = SQLiteLog(path)
    with pytest.raises(ConfigurationError, match="Move the file away"):
        list(damaged.export())
    damaged.close()


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    assert "cannot be opened" in refusal(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    assert "log.path" in refusal(tmp_path / "file" / "decisions.db")


def test_an_empty_file_becomes_a_log(tmp_path):
    path = tmp_path / "decisions.db"
    path.touch()
    SQLiteLog(path).close()
    assert path.stat().st_size > 0
