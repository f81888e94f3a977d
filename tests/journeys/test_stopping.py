"""However the service ends, the log keeps what it was given time to write."""

from __future__ import annotations

import signal
import threading
import time

import httpx2

from tests.running import Served, exported, is_sound, served

WRITTEN_WITHIN_S = 1.0


class Load:
    """Callers that ask without pause, and remember when each decision was answered."""

    def __init__(self, running: Served, callers: int = 4) -> None:
        self._running = running
        self.answered: list[tuple[float, str]] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(callers)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, answers: int, seconds: float) -> None:
        """Wait until that many are answered and that much time has gone by."""
        earliest, latest = time.monotonic() + seconds, time.monotonic() + 20.0
        while time.monotonic() < latest and (len(self.answered) < answers or time.monotonic() < earliest):
            time.sleep(0.02)
        assert len(self.answered) >= answers

    def _ask(self) -> None:
        body = {"model": "auto", "messages": [{"role": "user", "content": "Is the shop open on Sunday?"}]}
        with httpx2.Client(base_url=self._running.base_url, timeout=10) as client:
            while not self._ended.is_set():
                try:
                    answer = client.post("/v1/chat/completions", json=body)
                except httpx2.HTTPError:
                    return
                if answer.status_code == 200:
                    self.answered.append((time.monotonic(), answer.headers["x-weighbridge-decision-id"]))


def test_a_kill_under_load_loses_at_most_what_was_queued(tmp_path):
    with served(tmp_path, log={"flush_interval_ms": 200}) as running, Load(running) as load:
        load.wait_for(answers=200, seconds=WRITTEN_WITHIN_S + 0.5)
        killed_at = time.monotonic()
        running.stop(signal.SIGKILL)
    assert is_sound(running.log_path)
    found = exported(running.log_path)
    long_ago = {decision for at, decision in load.answered if at < killed_at - WRITTEN_WITHIN_S}
    assert len(long_ago) > 20
    assert long_ago <= set(found)
    assert all(found[decision]["outcome"]["status"] == "ok" for decision in long_ago)


def test_after_a_kill_the_service_starts_again_on_the_same_log(tmp_path):
    with served(tmp_path) as first, Load(first) as load:
        load.wait_for(answers=50, seconds=0.3)
        first.stop(signal.SIGKILL)
    before = set(exported(first.log_path))
    with served(tmp_path) as second:
        status, decision = second.post("/route", {"prompt": "Are you back?"})
        assert status == 200
        second.stop()
    assert before | {decision["decision_id"]} <= set(exported(first.log_path))


def test_a_normal_stop_writes_every_decision_and_outcome(tmp_path):
    """With a queue that by itself would wait a minute before it writes."""
    with served(tmp_path, log={"flush_interval_ms": 60_000}) as running:
        with Load(running) as load:
            load.wait_for(answers=100, seconds=0)
        # uvicorn ends as a process that had not caught the signal would
        assert running.stop(signal.SIGTERM) in (0, -signal.SIGTERM)
    found = exported(running.log_path)
    assert {decision for _, decision in load.answered} <= set(found)
    assert all(found[decision]["outcome"] is not None for _, decision in load.answered)
    assert "Traceback" not in running.printed()


def test_control_c_ends_the_service_without_a_traceback(tmp_path):
    with served(tmp_path) as running:
        running.post("/route", {"prompt": "Good night?"})
        running.stop(signal.SIGINT)
    assert "Traceback" not in running.printed()
    assert len(exported(running.log_path)) == 1


def test_a_stop_while_an_answer_is_being_written_records_that_it_was_cancelled(tmp_path):
    slow = {"demo_speed": 0.02}
    body = {"model": "demo-economy", "messages": [{"role": "user", "content": "Count."}]}
    with served(tmp_path, server={"shutdown_grace_s": 1}, dispatch=slow) as running:
        caller = threading.Thread(target=_post_and_ignore, args=(running.base_url, body))
        caller.start()
        while not exported(running.log_path):
            time.sleep(0.02)
        running.stop(signal.SIGTERM)
        caller.join()
    ((_, decision),) = exported(running.log_path).items()
    assert decision["outcome"]["status"] == "cancelled"


def _post_and_ignore(base_url: str, body: dict[str, object]) -> None:
    try:
        httpx2.post(f"{base_url}/v1/chat/completions", json=body, timeout=20)
    except httpx2.HTTPError:
        return
