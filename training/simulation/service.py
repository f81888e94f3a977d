"""A `weighbridge serve` of its own, and a caller who speaks to it over HTTP."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from training.simulation.commands import command, environment
from training.simulation.plan import Plan, SimulationError

SETTINGS = "weighbridge.toml"
LOG = "decisions.db"
MODELS = "models"
MEASURE = "measure"

_START_S = 180.0
_ANSWER_S = 120.0
_SWAP_S = 120.0
_STOP_S = 60.0
_KEPT_S = 1.0
_LOOK_EVERY_S = 0.05


def caller(number: int) -> str:
    """Return the name of a caller."""
    return f"team-{number + 1}"


def keys(plan: Plan) -> dict[str, str]:
    """Return the key of each caller, by the environment variable that holds it; they are secret to nobody."""
    names = [*(caller(number) for number in range(plan.callers)), MEASURE]
    return {_variable(name): f"simulated-{name}" for name in names}


def write_settings(folder: Path, plan: Plan) -> Path:
    """Write the settings of a service that keeps all it has in one folder."""
    lines = [
        "[classifier]",
        f"models = {json.dumps(str(folder / MODELS))}",
        "refresh_ms = 200",
        "[log]",
        f"path = {json.dumps(str(folder / LOG))}",
        f"prompts = {json.dumps(plan.prompts)}",
    ]
    for name in [*(caller(number) for number in range(plan.callers)), MEASURE]:
        lines += ["[[callers]]", f"name = {json.dumps(name)}", f"api_key_env = {json.dumps(_variable(name))}"]
    shared = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    file = folder / SETTINGS
    file.write_text("\n".join(lines) + "\n\n" + shared, encoding="utf-8")
    return file


def chosen(decision: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a decision's ranking that was chosen."""
    for row in decision["ranking"]:
        if row["deployment"] == decision["deployment"]:
            return dict(row)
    raise SimulationError(f"The decision {decision['decision_id']} chose nobody: {decision['rejected']}")


@contextmanager
def served(folder: Path, plan: Plan) -> Iterator[Caller]:
    """Start a service on a free port, and stop it at the end."""
    line = command("serve", "--port", "0", "--config", str(folder / SETTINGS))
    printed = folder / "serve.log"
    with printed.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            line, cwd=folder, env=environment(keys(plan)), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield Caller(_port(process, printed), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(slots=True)
class Caller:
    """Speaks to a running service; raises SimulationError for every answer that is not a success."""

    port: int
    folder: Path
    requests: int = 0
    _line: HTTPConnection = field(init=False, repr=False)
    _used: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        """Prepare a line, which is opened by the first request."""
        self._line = HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_S)

    def route(self, prompt: str, name: str) -> dict[str, Any]:
        """Return the decision about a prompt."""
        return self._asked("POST", "/route", {"prompt": prompt}, name)

    def observe(self, decision: dict[str, Any], output_tokens: int, name: str) -> None:
        """Tell what came of a decision: answered, as fast and as long as was expected."""
        body = {
            "decision_id": decision["decision_id"],
            "latency_ms": chosen(decision)["latency_ms"],
            "input_tokens": decision["input_tokens"],
            "output_tokens": output_tokens,
        }
        self._asked("POST", "/observations", body, name)

    def rate(self, decision: dict[str, Any], thumb: str, name: str) -> None:
        """Give a person's opinion of an answer."""
        self._asked("POST", "/feedback", {"decision_id": decision["decision_id"], "thumb": thumb}, name)

    def wait_for(self, artifact: str) -> float:
        """Wait until an artifact answers; return how many seconds that took."""
        started = time.monotonic()
        while time.monotonic() - started < _SWAP_S:
            if self._asked("GET", "/readyz", None, MEASURE).get("artifact") == artifact:
                return time.monotonic() - started
            time.sleep(_LOOK_EVERY_S)
        raise SimulationError(f"The running service did not take {artifact} over within {_SWAP_S:.0f} s.")

    def _asked(self, method: str, path: str, body: Any, name: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer simulated-{name}", "content-type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        try:
            status, said = self._answer(method, path, content, headers)
        except (OSError, HTTPException) as error:
            raise SimulationError(
                f"The service was lost at {path}: {error!r}. What it said: {self.folder}."
            ) from error
        self.requests += 1
        if status >= 300:
            raise SimulationError(f"{path} was answered with {status}: {said[:300]!r}")
        found: dict[str, Any] = json.loads(said)
        return found

    def _answer(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if time.monotonic() - self._used > _KEPT_S:
            # the service closes a line on which nobody has spoken for five seconds
            self._line.close()
        self._line.request(method, path, content, headers)
        answer = self._line.getresponse()
        said = answer.read()
        self._used = time.monotonic()
        return answer.status, said


def _port(process: subprocess.Popen[bytes], printed: Path) -> int:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        told = re.search(r"weighing on http://127\.0\.0\.1:(\d+)", printed.read_text(encoding="utf-8"))
        if told:
            return int(told.group(1))
        time.sleep(_LOOK_EVERY_S)
    raise SimulationError(f"weighbridge serve did not start; it said: {printed.read_text(encoding='utf-8')}")


def _variable(name: str) -> str:
    return f"SIMULATED_{name.upper().replace('-', '_')}_KEY"
