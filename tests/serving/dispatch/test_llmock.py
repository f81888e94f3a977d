"""The adapter against a provider fake that nobody here wrote: `llmock` from PyPI."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.connection import Connection, Timeouts
from serving.dispatch.openai_compatible import OpenAICompatible
from serving.routing.catalog import Deployment
from tests.fakes import apart

COMMAND = shutil.which("llmock", path=str(Path(sys.executable).parent)) or shutil.which("llmock")
pytestmark = pytest.mark.skipif(COMMAND is None, reason="llmock is not installed: pip install llmock")
BODY = {"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}


@pytest.fixture(scope="module")
def base():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("llmock did not start")


def ask(base, stream):
    async def run():
        adapter = OpenAICompatible({"KEY": "sk-test"}, Connection(Timeouts()))
        row = Deployment("d", "gpt-4o-mini", "openai_compatible", "economy", {}, f"{base}/v1", "KEY")
        try:
            if not stream:
                return await adapter.complete(row, Call(BODY, False))
            found = await adapter.stream(row, Call(BODY | {"stream": True}, True))
            return apart([piece async for piece in found]), found.usage
        finally:
            await adapter.close()

    return asyncio.run(run())


def test_a_whole_answer_has_text_and_usage(base):
    whole = ask(base, stream=False)
    assert json.loads(whole.body)["choices"][0]["message"]["content"]
    assert whole.usage.input_tokens > 0
    assert whole.usage.output_tokens > 0


def test_a_stream_ends_with_done_and_has_usage(base):
    events, usage = ask(base, stream=True)
    assert events[-1] == b"data: [DONE]\n\n"
    assert len(events) > 2
    assert usage.output_tokens > 0


def test_a_rate_limit_is_one_and_another_deployment_may_do_better(base):
    script(base, {"type": "fail", "status": 429, "times": 1})
    with pytest.raises(ProviderError) as caught:
        ask(base, stream=False)
    assert (caught.value.kind, caught.value.retryable) == ("rate_limit", True)
    assert ask(base, stream=False).body


@pytest.mark.parametrize("fault", ["disconnect", "malformed"])
def test_a_stream_that_breaks_is_a_failure_and_never_a_hang(base, fault):
    script(base, {"type": "stream_fault", "kind": fault, "after_chunks": 2})
    with pytest.raises(ProviderError) as caught:
        ask(base, stream=True)
    assert caught.value.kind == "upstream"


def script(base, *behaviors):
    data = json.dumps({"behaviors": behaviors}).encode()
    request = Request(f"{base}/_llmock/scenario", data, {"content-type": "application/json"})
    with urlopen(request, timeout=5) as answer:
        assert answer.status == 201
