"""From a request to a row that training can read, through the real commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from tests.running import weighbridge


def test_decision_outcome_and_feedback_come_out_of_the_log_as_one_row(server):
    body = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}
    _, _ = server.post("/v1/chat/completions", body)
    _, decision = server.post("/route", {"prompt": "Say goodbye."})
    status, _ = server.post("/feedback", {"decision_id": decision["decision_id"], "label": "overkill"})
    assert status == 202
    done = weighbridge("export-log", "--since", "1h", cwd=server.folder)
    assert done.returncode == 0, done.stderr
    rows = {row["decision_id"]: row for row in map(json.loads, done.stdout.splitlines())}
    row = rows[decision["decision_id"]]
    assert row["schema"] == "weighbridge.decision-log/2"
    assert [given["label"] for given in row["feedback"]] == ["overkill"]
    assert any(row["outcome"] and row["outcome"]["status"] == "ok" for row in rows.values())


def test_the_banner_says_where_to_point_an_sdk_and_what_to_try(server):
    printed = server.printed()
    assert f'base_url="{server.base_url}/v1"' in printed
    assert len(re.findall(r"curl -s", printed)) == 3


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_of_the_banner_work_when_they_are_pasted(server):
    lines = [line.strip() for line in server.printed().splitlines() if line.strip().startswith("curl")]
    for line in lines:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20, check=True)
        assert "error" not in done.stdout
        assert '"deployment"' in done.stdout or '"choices"' in done.stdout
