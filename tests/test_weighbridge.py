"""`weighbridge` itself: what the commands are called, and that asking costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.running import clean_environ, weighbridge

COMMANDS = [
    "serve",
    "route",
    "score",
    "init",
    "check",
    "verify",
    "catalog",
    "explain",
    "replay",
    "calibrate",
    "feedback",
    "export-log",
    "promote",
    "rollback",
    "compare",
    "registry",
    "sources",
    "train",
    "retrain",
    "simulate",
]


def test_help_lists_every_command_with_a_line_each(tmp_path):
    done = weighbridge("--help", cwd=tmp_path)
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:")[2].split("\n")
    assert [line.split()[0] for line in listed if line.strip()] == COMMANDS
    assert all(len(line.split()) > 3 for line in listed if line.strip())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(tmp_path, command):
    done = weighbridge(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{command} [OPTIONS]" in done.stdout


def run(code, folder):
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env=clean_environ(), capture_output=True, text=True, check=True
    )


def test_help_loads_nothing_heavy(tmp_path):
    heavy = "numpy onnxruntime fastapi pydantic uvicorn sklearn torch aiohttp"
    code = (
        "import sys, weighbridge\n"
        "weighbridge.main(['--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy!r}.split() if name in sys.modules], file=sys.stderr)"
    )
    assert run(code, tmp_path).stderr.strip() == "[]"


def test_serving_never_loads_the_training_libraries(tmp_path):
    heavy = "sklearn torch sentence_transformers mlflow onnx skl2onnx transformers"
    code = f"import sys, serving.app\nprint([name for name in {heavy!r}.split() if name in sys.modules])"
    assert run(code, tmp_path).stdout.strip() == "[]"


def test_an_unknown_command_is_told_in_one_line(tmp_path):
    done = weighbridge("sevre", cwd=tmp_path)
    assert done.returncode == 2
    assert "No such command 'sevre'" in done.stderr
    assert "Traceback" not in done.stderr
