"""`weighbridge serve`: start the service and say how to talk to it."""

from __future__ import annotations

import errno
import gc
import os
import socket
from pathlib import Path

import click
import uvicorn

from serving.app import create_app
from serving.cli.large_pages import use_large_pages
from serving.errors import ConfigurationError
from serving.settings import load_settings

_BANNER = """\
Weighbridge is weighing on {base}  (artifact {artifact}, {deployments} deployments, log {log})

Point an OpenAI SDK at it:   base_url="{base}/v1"   api_key="{key}"   model="auto"

Try:
  curl -s {base}/route -d '{{"prompt": "What is the capital of France?"}}'
  curl -s {base}/v1/chat/completions -d '{{"model": "auto", "messages": \
[{{"role": "user", "content": "Prove that the square root of 2 is irrational."}}]}}'
  curl -sN {base}/v1/chat/completions -d '{{"model": "auto", "stream": true, "messages": \
[{{"role": "user", "content": "Say hello."}}]}}'
"""


@click.command()
@click.option("--host", help="Address to listen on; default from the settings.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 picks a free one.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml.")
def serve(host: str | None, port: int | None, config: Path | None) -> None:
    """Start the service; without settings it serves three demo deployments, no key needed."""
    try:
        settings = load_settings(config, os.environ)
        app = create_app(settings, os.environ)
    except ConfigurationError as error:
        raise click.ClickException(error.message) from error
    listening = _listen(host or settings.server.host, settings.server.port if port is None else port)
    address, bound = listening.getsockname()[:2]
    gateway = app.state.context.gateway
    banner = _BANNER.format(
        base=f"http://{address}:{bound}",
        artifact=gateway.rollout.artifact,
        deployments=len(gateway.catalog),
        log=settings.log.path,
        key="<one of your keys>" if app.state.context.keys.required else "unused",
    )
    config_ = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        http="httptools",
        # nothing here depends on who the caller says it is
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=settings.server.shutdown_grace_s,
    )
    _Server(config_, banner).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Prints the banner once requests can be answered."""

    def __init__(self, config: uvicorn.Config, banner: str) -> None:
        super().__init__(config)
        self._banner = banner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell the person who started it."""
        await super().startup(sockets)
        if self.started:
            settle_memory()
            use_large_pages()
            click.echo(self._banner)


def settle_memory() -> None:
    """Leave what was built at start out of garbage collection: walking it stops every request for 30 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named, which costs 40 ms an answer
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        taken = error.errno == errno.EADDRINUSE
        hint = "Stop what uses it, or choose another with --port." if taken else "Check server.host."
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}. {hint}") from error
    return listening
