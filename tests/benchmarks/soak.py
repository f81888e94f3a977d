"""200 streams at a time, random faults upstream, callers who leave: nothing hangs, everything is logged."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

import aiohttp
import httpx2
import psutil

from tests.benchmarks.faulty import FaultyUpstream
from tests.benchmarks.prose import Prose
from tests.running import Served, served

STREAMS = 200
_LEAVING = 0.03
# Longer than the deadline over all attempts: who waits this long has been left hanging.
_PATIENCE_S = 60.0
_DISPATCH = {"first_byte_timeout_ms": 8_000, "idle_timeout_ms": 4_000, "total_timeout_ms": 40_000}
_SAMPLE_S = 1.0
# Once warm, memory may grow by no more than this from the second quarter to the last.
_FLAT = 1.1
_LEAST_SAMPLES = 20
_CAPABLE = {"context_window_tokens": 100_000, "max_output_tokens": 10_000, "capabilities": ["streaming"]}


def run(minutes: float, *, streams: int = STREAMS, seed: int = 1) -> int:
    """Soak for so many minutes, print what happened, and return 1 where something was lost, hung or grew."""
    with tempfile.TemporaryDirectory(prefix="weighbridge-soak-") as name:
        return asyncio.run(_soak(Path(name), minutes * 60.0, streams, seed))


async def _soak(folder: Path, seconds: float, streams: int, seed: int) -> int:
    async with FaultyUpstream(seed) as upstream:
        rows = [
            {"name": f"{tier}-{place}", "model": "m", "adapter": "openai_compatible", "tier": tier,
             "base_url": f"http://127.0.0.1:{upstream.port}/v1", "usd_per_million_input": usd,
             "usd_per_million_output": usd} | _CAPABLE
            for tier, usd in (("economy", 0.2), ("standard", 1.5), ("premium", 9.0))
            for place in (1, 2)
        ]  # fmt: skip
        starting = served(folder, catalog={"include_defaults": False}, deployments=rows, dispatch=_DISPATCH)
        service = await asyncio.to_thread(starting.__enter__)
        try:
            seen, memory_mb = await _load(service, seconds, streams, seed)
            metrics = await asyncio.to_thread(_metrics, service)
            await asyncio.to_thread(service.stop)
            logged = _logged(service.log_path)
        finally:
            await asyncio.to_thread(starting.__exit__, None, None, None)
    return _report(seconds, seen, upstream.did, logged, metrics, memory_mb)


async def _load(service: Served, seconds: float, streams: int, seed: int) -> tuple[Counter[str], list[float]]:
    seen: Counter[str] = Counter()
    memory_mb: list[float] = []
    until = time.monotonic() + seconds
    prompts = list(Prose().prompts(60, 512))
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        workers = [
            asyncio.create_task(
                _caller(session, service.base_url, prompts, until, seen, random.Random(seed + n))
            )
            for n in range(streams)
        ]
        watching = asyncio.create_task(_watch(psutil.Process(service.process.pid), memory_mb))
        await asyncio.gather(*workers)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    return seen, memory_mb


async def _caller(
    session: aiohttp.ClientSession,
    base_url: str,
    prompts: Sequence[str],
    until: float,
    seen: Counter[str],
    drawn: random.Random,
) -> None:
    while time.monotonic() < until:
        seen["sent"] += 1
        body = {
            "model": "auto",
            "stream": True,
            "messages": [{"role": "user", "content": drawn.choice(prompts)}],
        }
        try:
            seen[await _stream(session, base_url, body, leaves=drawn.random() < _LEAVING)] += 1
        except TimeoutError:
            seen["HUNG"] += 1
        except aiohttp.ClientError as error:
            seen[f"BROKEN OFF ({type(error).__name__})"] += 1


async def _stream(session: aiohttp.ClientSession, base_url: str, body: object, *, leaves: bool) -> str:
    async with session.post(f"{base_url}/v1/chat/completions", json=body) as response:
        if response.status != 200:
            await response.read()
            return f"status {response.status}"
        last = b""
        async for piece in response.content.iter_any():
            if leaves:
                response.close()
                return "left in the middle"
            last = (last + piece)[-400:]
    if last.endswith(b"data: [DONE]\n\n"):
        return "answered"
    return "ended by an error event" if b'"error"' in last else "CUT SHORT"


async def _watch(process: psutil.Process, memory_mb: list[float]) -> None:
    while True:
        memory_mb.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(_SAMPLE_S)


def _metrics(service: Served) -> str:
    return httpx2.get(f"{service.base_url}/metrics", timeout=20).text


def _logged(path: Path) -> Counter[str]:
    """Count decisions, outcomes by status, and those that went on from one deployment to another."""
    found: Counter[str] = Counter()
    with closing(sqlite3.connect(path)) as connection:
        found["decisions"] = connection.execute("SELECT count(*) FROM decisions").fetchone()[0]
        nobody = "SELECT count(*) FROM decisions WHERE deployment IS NULL"
        found["refused, nobody was up"] = connection.execute(nobody).fetchone()[0]
        for status, attempts in connection.execute("SELECT status, attempts FROM outcomes"):
            found["outcomes"] += 1
            found[f"outcome {status}"] += 1
            asked = [row["deployment"] for row in json.loads(attempts) if row["status"] != "skipped"]
            found["failed over"] += len(set(asked)) > 1
            found["asked more than once"] += len(asked) > 1
    return found


def _report(
    seconds: float,
    seen: Counter[str],
    upstream: Counter[str],
    logged: Counter[str],
    metrics: str,
    memory_mb: Sequence[float],
) -> int:
    quarter = max(len(memory_mb) // 4, 1)
    early, late = (
        statistics.median(memory_mb[quarter : 2 * quarter] or memory_mb),
        statistics.median(memory_mb[-quarter:]),
    )
    dropped = [line for line in metrics.splitlines() if 'log_records{state="dropped"}' in line]
    print(f"{seconds:.0f} s of soaking")
    for title, counted in (("callers", seen), ("upstream", upstream), ("log", logged)):
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(counted.items()))
        print(f"  {title:<10}{told}")
    most = max(memory_mb)
    print(f"  memory    {early:.0f} MB in the second quarter, {late:.0f} in the last, {most:.0f} at most")
    print(f"  {' '.join(dropped)}")
    wrong = [f"{name}: {count}" for name, count in seen.items() if name.isupper() or name[:3].isupper()]
    # what was refused was never dispatched, and leaves no outcome
    dispatched = logged["decisions"] - logged["refused, nobody was up"]
    if logged["decisions"] != seen["sent"] or logged["outcomes"] != dispatched:
        wrong.append(f"sent {seen['sent']}, decisions {logged['decisions']}, outcomes {logged['outcomes']}")
    if len(memory_mb) >= _LEAST_SAMPLES and late > early * _FLAT:
        wrong.append(f"memory grew ×{late / early:.2f}")
    print(
        "  " + ("WRONG  " + "; ".join(wrong) if wrong else "nothing hung, nothing was lost, memory is flat")
    )
    return 1 if wrong else 0
