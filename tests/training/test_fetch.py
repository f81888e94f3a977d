"""The running service's log, fetched for a retraining: kept where that can go on, deleted otherwise."""

from __future__ import annotations

import stat

import pyarrow.parquet as pq
import pytest

from serving.state.sqlite import SQLiteLog
from tests.serving.state.records import decision
from training.fetch import FetchFailed, fetched_for
from training.registration import RegistrationFailed


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "weighbridge.toml"
    file.write_text(f'log.path = "{tmp_path}/kept.db"')
    return file


def write(folder, *numbers):
    log = SQLiteLog(folder / "kept.db")
    log.write([decision(number) for number in numbers])
    log.close()


def test_a_run_that_can_go_on_goes_on_with_the_data_it_began_with(settings, tmp_path, capsys):
    write(tmp_path, 1, 2)
    with (
        pytest.raises(RegistrationFailed),
        fetched_for(tmp_path / "work", settings, None) as (file,),
    ):
        raise RegistrationFailed("the registry is down")
    # it may hold prompts
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write(tmp_path, 3)
    with fetched_for(tmp_path / "work", settings, None) as (again,):
        assert again == file and "going on with" in capsys.readouterr().err
        assert pq.read_table(again).num_rows == 2
    assert not file.exists()


def test_a_log_that_cannot_be_read_is_told_and_leaves_nothing(settings, tmp_path):
    (tmp_path / "kept.db").write_text("no database " * 99)
    with (
        pytest.raises(FetchFailed, match="could not be exported"),
        fetched_for(tmp_path / "w", settings, None),
    ):
        pass
    assert not list((tmp_path / "w").glob("*.parquet"))
