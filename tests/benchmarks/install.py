"""The default install in a fresh environment: megabytes on disk and packages."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.children import free_port, running, wait_ready
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import server_core
from tests.benchmarks.plan import ROOT, Plan, Skipped

_PIP = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile")
_NOT_COUNTED = ("pip", "setuptools", "wheel", "_distutils_hack", "distutils-precedence")
_TIMEOUT_S = 300


def measure(plan: Plan) -> Iterator[Figure]:
    """Yield the size as installed, and again once a first start has written its bytecode."""
    if plan.is_quick:
        raise Skipped("it takes a minute; run it without --quick.")
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as name:
        folder = Path(name)
        site = _install(folder / "venv")
        packages = [
            path
            for path in site.glob("*.dist-info")
            if not path.name.startswith((*_NOT_COUNTED, "weighbridge"))
        ]
        yield Figure("install", "packages it brings", "count", (float(len(packages)),), at_most=40)
        yield Figure("install", "on disk", "MB", (_megabytes(site),), at_most=200)
        _start_once(folder)
        yield Figure("install", "on disk after the first start", "MB", (_megabytes(site),))


def _install(venv: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=_TIMEOUT_S)
    command = [str(venv / "bin" / "python"), *_PIP, "-c", str(ROOT / "constraints.txt"), str(ROOT)]
    installed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    if installed.returncode:
        raise Skipped(f"pip could not install: {installed.stderr.strip()[-500:]}")
    return next((venv / "lib").glob("python*/site-packages"))


def _start_once(folder: Path) -> None:
    """Serve in an empty folder, so that nothing of the checkout is imported."""
    port, log = free_port(), folder / "output"
    command = [str(folder / "venv" / "bin" / "weighbridge"), "serve", "--port", str(port)]
    with running(command, core=server_core(), log=log, cwd=folder) as (process, _):
        wait_ready(process, port, "/readyz", log)


def _megabytes(site: Path) -> float:
    """Return the apparent size of all files, without the installer's own, in MB of 10^6 bytes."""
    counted = [path for path in site.iterdir() if not path.name.startswith((*_NOT_COUNTED, "weighbridge"))]
    files = [file for top in counted for file in ([top] if top.is_file() else top.rglob("*"))]
    return sum(file.lstat().st_size for file in files if not file.is_dir()) / 1e6
