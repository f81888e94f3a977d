"""LangChain's and LlamaIndex's OpenAI classes, pointed at Weighbridge, work as with OpenAI."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.fakes import HELLO_STREAM, USAGE, Reply, answering, calling, streaming
from tests.running import ROOT

# 340 MB in an environment of their own: beside the rest they would decide which openai is installed.
WANTED = ("langchain-openai==1.7.4", "llama-index-llms-openai-like==0.8.1")
SCRIPT = ROOT / "tests" / "journeys" / "frameworks.py"
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "clients.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def python():
    """Install both into the build folder, once."""
    folder = ROOT / "build" / "frameworks"
    interpreter, complete = folder / "bin" / "python", folder / "complete"
    if not complete.exists():
        pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--no-compile", *WANTED]
        for command in ([sys.executable, "-m", "venv", str(folder)], pip):
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            if done.returncode:
                pytest.skip(f"pip could not install them: {done.stderr.strip()[-200:]}")
        complete.touch()
    return str(interpreter)


def test_both_frameworks_answer_stream_call_tools_and_embed(house, python):
    called = answering({"tool_calls": calling(("call_1", "weather", '{"place": "Ghent"}'))}, "tool_calls")
    hello, city = streaming(HELLO_STREAM), answering({"content": '{"name": "Ghent"}'})
    vectors = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}]}
    embedded = Reply((json.dumps(vectors | {"model": "m", "usage": USAGE}).encode(),))
    house.provider.plays(
        *(Reply(), hello, called, called, Reply(), city, Reply(), embedded),
        *(Reply(), hello, Reply(), called),
    )
    command = [python, str(SCRIPT), f"{house.base_url}/v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "langchain": "Hello wörld",
        "langchain_streamed": "Hello wörld",
        "langchain_calls": [["call_1", {"place": "Ghent"}]],
        "langchain_after_tools": "Hello wörld",
        "langchain_structured": "Ghent",
        "langchain_async": "Hello wörld",
        "langchain_vector": [0.5, -0.5],
        "llama_index": "Hello wörld",
        "llama_index_streamed": "Hello wörld",
        "llama_index_own": "Hello wörld",
        "llama_index_calls": [["call_1", {"place": "Ghent"}]],
    }
    sent = [request["body"] for request in house.provider.requests]
    assert sent[4]["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "rain in Ghent"}
    assert sent[5]["response_format"]["json_schema"]["name"] == "City"
    assert sent[7]["input"] == ["Hello"]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split()[1])
def test_what_the_documentation_shows_works(server, request, block):
    is_framework = "langchain" in block or "llama_index" in block
    interpreter = request.getfixturevalue("python") if is_framework else sys.executable
    code = block.replace("http://127.0.0.1:8080", server.base_url)
    done = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) >= block.count("print(")
    assert all(answers)
