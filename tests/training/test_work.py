"""One run at a time in a folder of work, and nothing left of those that will never go on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from training.work import Work, WorkTaken, alone_in

FIRST, SECOND = "1" * 64, "2" * 64
HOLD = """
import sys
from pathlib import Path
from training.work import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Another process that works in a folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "work")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_told_and_changes_nothing_until_the_first_is_gone_however_it_ends(
    tmp_path, elsewhere
):
    with pytest.raises(WorkTaken, match="--work"), alone_in(tmp_path / "work"):
        pass
    assert not (tmp_path / "work").exists()
    elsewhere.kill()
    elsewhere.wait()
    with alone_in(tmp_path / "work"), alone_in(tmp_path / "work"):
        pass


def test_a_step_that_was_done_is_not_done_again(tmp_path):
    work = Work(tmp_path, FIRST)
    made = work.step("fitted", lambda folder: (folder / "heads").write_text("made"))
    again = Work(tmp_path, FIRST).step("fitted", lambda _: pytest.fail("done again"))
    assert (made, (again / "heads").read_text()) == (again, "made")


def test_what_runs_on_other_data_have_left_is_deleted_and_nothing_else_is(tmp_path):
    Work(tmp_path, FIRST).step("encoder", lambda folder: (folder / "graph").write_text(""))
    (tmp_path / "export-1.parquet").write_text("")
    (tmp_path / "notes").mkdir()
    Work(tmp_path, SECOND)
    assert {one.name for one in tmp_path.iterdir()} == {SECOND, "export-1.parquet", "notes"}
