"""Weighbridge under measurement: its settings, its bodies, and the event loops it can run on."""

from __future__ import annotations

import http.client
import importlib.util
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.children import Child, free_port, server
from tests.benchmarks.prose import Prose

_SETTINGS = """\
[log]
path = {log}

[catalog]
include_defaults = false
"""
_DEPLOYMENT = """
[[deployments]]
name = "stub-{tier}"
adapter = "openai_compatible"
tier = "{tier}"
base_url = "{base_url}"
usd_per_million_input = {usd}
usd_per_million_output = {usd}
context_window_tokens = 128_000
max_output_tokens = 16_000
capabilities = ["tools", "streaming"]
first_token_ms = 300
output_tokens_per_second = 80
"""
_USD_PER_MILLION = {"economy": 0.2, "standard": 1.5, "premium": 9.0}
# So many that few come twice while one figure is taken: words that were seen are remembered.
_BODIES = 8_192
_LONG_BODIES = 1_024
_WORDS = 100


def loops() -> list[str]:
    """Return the event loops to measure on: the default install's, and uvloop where it is installed."""
    return ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]


@contextmanager
def weighbridge(loop: str = "asyncio", upstream_port: int = 9, more: str = "") -> Iterator[Child]:
    """Run the service with a deployment per tier, all at one upstream, an empty log and more settings."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as name:
        folder, port = Path(name), free_port()
        config = folder / "weighbridge.toml"
        config.write_text(_settings(folder, upstream_port) + more, encoding="utf-8")
        arguments = (loop, "serve", "--port", str(port), "--config", str(config))
        with server("launch", *arguments, port=port, ready="/readyz", log=folder / "output") as child:
            _check_it_classifies(port)
            yield child


@contextmanager
def echo(loop: str) -> Iterator[Child]:
    """Run the floor under `/route`."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as name:
        port = free_port()
        log = Path(name) / "output"
        with server("echo", str(port), loop, port=port, ready="/readyz", log=log) as child:
            yield child


def route_bodies(folder: Path) -> Path:
    """Write bodies for `/route`, one prompt each, all different."""
    return _written(folder / "route.jsonl", [{"prompt": text} for text in Prose().prompts(_WORDS, _BODIES)])


def chat_bodies(folder: Path, *, stream: bool, words: int = _WORDS) -> Path:
    """Write bodies for chat completions, whole or streamed, all different."""
    more: dict[str, object] = {"stream": True} if stream else {}
    rows: list[dict[str, object]] = [
        {"model": "auto", "messages": [{"role": "user", "content": text}]} | more
        for text in Prose().prompts(words, _BODIES if words <= _WORDS else _LONG_BODIES)
    ]
    return _written(folder / f"chat-{'stream' if stream else 'whole'}-{words}.jsonl", rows)


def _check_it_classifies(port: int) -> None:
    """Refuse to measure a service that has no usable artifact: answering without one is quick."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/route", json.dumps({"prompt": "Where is my order?"}))
        source = json.loads(connection.getresponse().read()).get("prediction_source")
    finally:
        connection.close()
    if source != "classifier":
        raise RuntimeError(f"the service does not classify (its predictions are {source!r}): check models/.")


def _written(path: Path, rows: list[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _settings(folder: Path, upstream_port: int) -> str:
    base_url = f"http://127.0.0.1:{upstream_port}/v1"
    rows = [
        _DEPLOYMENT.format(tier=tier, usd=usd, base_url=base_url) for tier, usd in _USD_PER_MILLION.items()
    ]
    return _SETTINGS.format(log=json.dumps(str(folder / "decisions.db"))) + "".join(rows)
