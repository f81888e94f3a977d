"""LangChain's ChatOpenAI and LlamaIndex's OpenAILike, pointed at Weighbridge, work as with OpenAI."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fakes import HELLO_STREAM, Reply, answering, calling, streaming
from tests.running import ROOT

# 340 MB in an environment of their own: beside the rest they would decide which openai is installed.
WANTED = ("langchain-openai==1.7.4", "llama-index-llms-openai-like==0.8.1")
SCRIPT = ROOT / "tests" / "journeys" / "frameworks.py"


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


def test_both_frameworks_answer_stream_and_call_tools(house, python):
    called = answering({"tool_calls": calling(("call_1", "weather", '{"place": "Ghent"}'))}, "tool_calls")
    hello = streaming(HELLO_STREAM)
    house.provider.plays(Reply(), hello, called, Reply(), hello)
    command = [python, str(SCRIPT), f"{house.base_url}/v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "langchain": "Hello wörld",
        "langchain_streamed": "Hello wörld",
        "langchain_calls": [["call_1", {"place": "Ghent"}]],
        "llama_index": "Hello wörld",
        "llama_index_streamed": "Hello wörld",
    }
