"""What `weighbridge simulate` says where it cannot run."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from training.simulation.cli import simulate


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--answers", "many"], "500,1500,5000"),
        (["--answers", "5,3"], "rise"),
        (["--arms", "lucky"], "Known: loop, never, full, naive"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_way_out(tmp_path, arguments, told):
    done = CliRunner().invoke(simulate, ["--from", str(tmp_path), "-o", str(tmp_path / "out"), *arguments])
    assert done.exit_code == 1
    assert told in done.output
    assert not (tmp_path / "out").exists()


def test_a_folder_without_the_data_is_named(tmp_path):
    done = CliRunner().invoke(simulate, ["--from", str(tmp_path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert str(tmp_path) in done.output
    assert "nine_models" in done.output
