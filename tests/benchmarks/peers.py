"""Other proxies, each installed into an environment of its own under the build folder and left there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.children import Child, free_port, running, wait_ready
from tests.benchmarks.machine import server_core
from tests.benchmarks.plan import Skipped

LITELLM = "litellm[proxy]==1.106.*"
PORTKEY = "@portkey-ai/gateway"
# With a newer HTTP server under it, which its own ranges allow, each of its streams is a 500: it adds to
# headers that are immutable there.
_PORTKEY_PACKAGE = {
    "private": True,
    "dependencies": {PORTKEY: "1.15.2"},
    "overrides": {"@hono/node-server": "1.13.8"},
}
_INSTALL_TIMEOUT_S = 900

# Its own rule-based router, so that both classify; every tier is the same stub.
_LITELLM_CONFIG = """\
model_list:
  - model_name: auto
    litellm_params:
      model: auto_router/complexity_router
      complexity_router_config:
        tiers: {{SIMPLE: stub-economy, MEDIUM: stub-standard, COMPLEX: stub-premium, REASONING: stub-premium}}
      complexity_router_default_model: stub-standard
{deployments}
litellm_settings:
  telemetry: false
"""
_LITELLM_DEPLOYMENT = """\
  - model_name: stub-{tier}
    litellm_params: {{model: openai/stub, api_base: "http://127.0.0.1:{port}/v1", api_key: sk-none}}
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy under measurement, and the headers that its requests need."""

    child: Child
    headers: str = ""


@contextmanager
def litellm(build: Path, upstream: int) -> Iterator[Peer]:
    """Run LiteLLM's proxy; raise Skipped where it cannot be installed."""
    folder = build / "litellm"
    command = folder / "venv" / "bin" / "litellm"
    if not command.exists():
        folder.mkdir(parents=True, exist_ok=True)
        python = str(folder / "venv" / "bin" / "python")
        _install("pip", [sys.executable, "-m", "venv", str(folder / "venv")], folder)
        _install("pip", [python, "-m", "pip", "install", "--quiet", LITELLM], folder)
    port = free_port()
    rows = "".join(
        _LITELLM_DEPLOYMENT.format(tier=tier, port=upstream) for tier in ("economy", "standard", "premium")
    )
    config = folder / "config.yaml"
    config.write_text(_LITELLM_CONFIG.format(deployments=rows), encoding="utf-8")
    # without the first it fetches a price list at its start; without the last it asks for keys, as we do not
    no_key = "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY=true"
    settings = ["LITELLM_LOCAL_MODEL_COST_MAP=True", "LITELLM_LOG=ERROR", no_key]
    arguments = ["--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    with _started(["env", *settings, str(command), *arguments], port, "/health/liveliness", folder) as child:
        yield Peer(child)


@contextmanager
def portkey(build: Path, upstream: int) -> Iterator[Peer]:
    """Run Portkey's gateway, which does not classify; raise Skipped where it cannot be installed."""
    folder = build / "portkey"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Skipped("it needs Node. Install nodejs and npm.")
    script = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps(_PORTKEY_PACKAGE), encoding="utf-8")
        _install("npm", [npm, "install", "--no-audit", "--no-fund", "--silent"], folder)
    port = free_port()
    named = {
        "Authorization": "Bearer none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1",
    }
    # loopback is refused as an upstream unless it is named
    hosts = "TRUSTED_CUSTOM_HOSTS=127.0.0.1,localhost"
    with _started(
        ["env", hosts, node, str(script), f"--port={port}", "--headless"], port, "/", folder
    ) as child:
        yield Peer(child, "".join(f"{name}: {value}\r\n" for name, value in named.items()))


def _install(tool: str, command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=_INSTALL_TIMEOUT_S
    )
    if done.returncode:
        raise Skipped(f"{tool} could not install it: {done.stderr.strip()[-300:]}")


@contextmanager
def _started(command: list[str], port: int, ready: str, folder: Path) -> Iterator[Child]:
    log = folder / "output"
    log.write_bytes(b"")
    with running(command, core=server_core(), log=log, cwd=folder) as (process, started):
        yield Child(psutil.Process(process.pid), port, wait_ready(process, port, ready, log) - started)
