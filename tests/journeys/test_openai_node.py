"""OpenAI's Node SDK, pointed at Weighbridge, finds everything where it expects it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.fakes import HELLO_STREAM, Reply, calling_in_chunks, sse, streaming
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


def test_text_streams_tools_responses_models_and_errors(house, script):
    calls = streaming(sse(*calling_in_chunks(*CALLS)))
    house.provider.plays(Reply(), streaming(HELLO_STREAM), calls, Reply())
    command = [NODE, str(script), f"{house.base_url}/v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["whole"] == seen["streamed"] == seen["response"] == "Hello wörld"
    assert seen["usage"]["total_tokens"] == 9
    assert seen["calls"] == [[identity, arguments] for identity, _, arguments in CALLS]
    assert seen["models"] == ["auto", "able", "embedder"]
    assert seen["error"] == ["NotFoundError", 404, "model_not_found", "model"]
