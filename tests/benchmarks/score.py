"""`weighbridge score` over real prompts: a folder of JSON Lines, or the project's own corpus."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.children import environment
from tests.benchmarks.figures import Figure
from tests.benchmarks.plan import ROOT, Plan, Skipped
from tests.benchmarks.prose import CORPUS

FOLDER_VARIABLE = "WEIGHBRIDGE_DATA"
_QUICK_ROWS = 2_000

# public data has rows with NaN, which is no JSON
_LEAST_SHARE = 0.99


def measure(plan: Plan) -> Iterator[Figure | str]:
    """Yield prompts per second of the whole command, its start included, and its peak memory."""
    folder = _folder()
    rows = _rows(folder)[: _QUICK_ROWS if plan.is_quick else None]
    if not rows:
        raise Skipped(f"no .jsonl or .jsonl.gz in {folder}. Name another folder in {FOLDER_VARIABLE}.")
    file = plan.build / "score.jsonl"
    file.write_bytes(b"".join(rows))
    output = plan.build / "scored.jsonl"
    runs = [_run(file, output) for _ in range(plan.repeats)]
    weighed = output.read_bytes().count(b"\n")
    if weighed < _LEAST_SHARE * len(rows):
        raise RuntimeError(f"weighbridge score refused {len(rows) - weighed:,} of {len(rows):,} rows.")
    if weighed < len(rows):
        yield f"{len(rows) - weighed:,} rows are no JSON or hold no prompt, and were refused"
    name = f"{weighed:,} rows of {folder.name}/"
    yield Figure("score", f"{name}, prompts", "per s", tuple(weighed / seconds for seconds, _ in runs))
    yield Figure("score", f"{name}, peak memory", "MB", tuple(peak for _, peak in runs))


def _folder() -> Path:
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    beside = ROOT.parent / "shared" / "data"
    return beside if beside.is_dir() else CORPUS


def _rows(folder: Path) -> list[bytes]:
    rows: list[bytes] = []
    for path in sorted(folder.glob("*.jsonl*")):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        rows += [line + b"\n" for line in content.splitlines() if line.strip()]
    return rows


def _run(file: Path, output: Path) -> tuple[float, float]:
    """Return seconds and peak resident megabytes (of 10^6 bytes)."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.launch",
        "asyncio",
        "score",
        str(file),
        "-o",
        str(output),
    ]
    errors = output.with_suffix(".errors")
    # what an earlier run wrote must not pass for what this one did
    output.unlink(missing_ok=True)
    with errors.open("wb") as told:
        started = time.perf_counter()
        process = subprocess.Popen(command, stderr=told, cwd=ROOT, env=environment())
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    # 1 says that some rows were refused
    if process.returncode not in (0, 1) or not output.exists():
        said = errors.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"weighbridge score ended with {process.returncode}: {said[-1000:]}")
    return seconds, usage.ru_maxrss * 1024 / 1e6
