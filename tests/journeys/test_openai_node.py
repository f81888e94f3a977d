"""OpenAI's Node SDK, pointed at Weighbridge, finds everything where it expects it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.fakes import (
    HELLO,
    HELLO_CHUNKS,
    HELLO_STREAM,
    USAGE,
    Reply,
    calling_in_chunks,
    failing,
    sse,
    streaming,
)
from tests.running import ROOT

NODE, NPM = shutil.which("node"), shutil.which("npm")
VERSION = "7.57.0"
SCRIPT = ROOT / "tests" / "journeys" / "openai_node.mjs"
CALLS = (("call_1", "weather", '{"place": "Ghent"}'), ("call_2", "weather", '{"place": "Köln"}'))


@pytest.fixture(scope="module")
def script():
    """Install the SDK into the build folder, once; the script must lie beside it to find it."""
    if NODE is None or NPM is None:
        pytest.skip("Node is not installed: it needs node and npm")
    folder = ROOT / "build" / "node"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules" / "openai" / "package.json").exists():
        command = [NPM, "install", "--no-audit", "--no-fund", "--silent", f"openai@{VERSION}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install openai: {done.stderr.strip()[-200:]}")
    return shutil.copy(SCRIPT, folder / SCRIPT.name)


def choice(index, token):
    """Return one of several choices, with the probability of its token."""
    odds = {"token": token, "logprob": -0.1, "bytes": None, "top_logprobs": []}
    message = {"role": "assistant", "content": token}
    logprobs = {"content": [odds], "refusal": None}
    return {"index": index, "message": message, "finish_reason": "stop", "logprobs": logprobs}


def test_text_streams_tools_responses_models_and_errors(house, script):
    calls = streaming(sse(*calling_in_chunks(*CALLS)))
    two = Reply((json.dumps(HELLO | {"choices": [choice(0, "a"), choice(1, "b")]}).encode(),))
    vectors = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}]}
    embedded = Reply((json.dumps(vectors | {"model": "m", "usage": USAGE}).encode(),))
    house.provider.plays(
        Reply(),
        streaming(HELLO_STREAM),
        two,
        calls,
        Reply(),
        calls,
        embedded,
        failing(429, retry_after="1"),
        Reply(),
        streaming(sse(*HELLO_CHUNKS[:2]), then="disconnect"),
    )
    command = [NODE, str(script), f"{house.base_url}/v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["whole"] == seen["streamed"] == seen["response"] == seen["retried"] == "Hello wörld"
    assert seen["usage"]["total_tokens"] == 9
    assert seen["choices"] == [["a", "a"], ["b", "b"]]
    assert seen["calls"] == seen["responseCalls"] == [[identity, told] for identity, _, told in CALLS]
    assert seen["vector"] == [0.5, -0.5]
    assert seen["models"] == ["auto", "able", "embedder"]
    assert seen["error"] == ["NotFoundError", 404, "model_not_found", "model"]
    assert (seen["before"], seen["broken"]) == ("Hello ", "APIError")
    asked = house.provider.requests[2]["body"]
    assert (asked["n"], asked["stop"], asked["top_logprobs"]) == (2, ["END"], 1)
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert asked["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,aGVsbG8="
