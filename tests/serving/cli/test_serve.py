"""`weighbridge serve` starts, or says in one line why it cannot."""

from __future__ import annotations

import asyncio
import socket

from serving.cli.serve import _listen
from tests.running import served, weighbridge, write_settings


def test_a_port_that_is_taken_is_told_with_the_way_out(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = weighbridge("serve", "--port", port, "--config", str(write_settings(tmp_path)), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: Cannot listen on 127.0.0.1:{port}")
    assert "--port" in done.stderr


def test_answers_are_not_held_back_by_nagles_algorithm():
    listening = _listen("127.0.0.1", 0)

    async def accepted() -> int:
        seen = asyncio.get_running_loop().create_future()

        class Looks(asyncio.Protocol):
            def connection_made(self, transport):
                accepted = transport.get_extra_info("socket")
                seen.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        server = await asyncio.get_running_loop().create_server(Looks, sock=listening)
        _, writer = await asyncio.open_connection(*listening.getsockname())
        found = await seen
        writer.close()
        server.close()
        return found

    assert asyncio.run(accepted()) == 1


def test_settings_with_a_mistake_are_told_and_nothing_starts(tmp_path):
    settings = write_settings(tmp_path, policy={"quality_flor": 0.5})
    done = weighbridge("serve", "--port", "0", "--config", str(settings), cwd=tmp_path)
    assert done.returncode == 1
    assert "quality_floor" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_that_cannot_be_opened_is_told_and_nothing_starts(tmp_path):
    settings = write_settings(tmp_path, log={"path": str(tmp_path)})
    done = weighbridge("serve", "--port", "0", "--config", str(settings), cwd=tmp_path)
    assert done.returncode == 1
    assert "log.path" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_that_is_not_ours_is_told(tmp_path):
    settings = write_settings(tmp_path)
    done = weighbridge("serve", "--host", "192.0.2.1", "--port", "0", "--config", str(settings), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Cannot listen on 192.0.2.1:0")


def test_without_settings_the_service_starts_with_its_demo_deployments(tmp_path):
    with served(tmp_path) as running:
        assert "3 deployments" in running.printed()
        status, decision = running.post("/route", {"prompt": "What is the capital of France?"})
        assert (status, decision["prediction_source"]) == (200, "classifier")


def test_a_key_in_the_environment_brings_its_deployments_and_is_never_shown(tmp_path):
    secret = "sk-the-key-nobody-may-see"
    with served(tmp_path, {"OPENAI_API_KEY": secret}) as running:
        _, decision = running.post("/route", {"prompt": "What is the capital of France?"})
        assert decision["deployment"].startswith("gpt-")
        demo = [row for row in decision["rejected"] if row["deployment"].startswith("demo-")]
        assert {row["code"] for row in demo} == {"by_name_only"}
        status, _ = running.post(
            "/v1/chat/completions",
            {"model": "demo-economy", "messages": [{"role": "user", "content": "Hello?"}]},
        )
        assert status == 200
        assert secret not in running.printed()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("decisions.db*"))
    assert secret.encode() not in kept
