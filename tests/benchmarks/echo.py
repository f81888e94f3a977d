"""The floor under `/route`: FastAPI that sends the body back, served as Weighbridge serves itself."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response


async def echo(request: Request) -> Response:
    """Answer with what was sent."""
    return Response(await request.body(), media_type="application/json")


async def readyz(request: Request) -> Response:
    """Say that requests can be answered."""
    return Response(b"{}", media_type="application/json")


def main() -> None:
    """Serve on PORT with the event LOOP: `python -m tests.benchmarks.echo PORT LOOP`."""
    port, loop = int(sys.argv[1]), sys.argv[2]
    app = FastAPI()
    app.add_api_route("/route", echo, methods=["POST"])
    app.add_api_route("/readyz", readyz, methods=["GET"])
    uvicorn.run(
        app, host="127.0.0.1", port=port, loop=loop, http="httptools", log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
