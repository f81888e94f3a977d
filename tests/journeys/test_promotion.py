"""A new artifact takes over under load, through the real commands, and no request fails."""

from __future__ import annotations

import threading
import time
from collections import Counter

import httpx2
import pytest

from tests.artifacts import CHAMPION, damage, pass_verdict, write_models
from tests.running import exported, served, weighbridge

CALLERS = 4
CHAT = {"model": "auto", "messages": [{"role": "user", "content": "What are your opening hours?"}]}


class Load:
    """Callers that ask without a pause until they are stopped; every answer is kept."""

    def __init__(self, base_url):
        self._base_url = base_url
        self._stop = threading.Event()
        self.answers: list[tuple[float, int | str, str | None]] = []
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(CALLERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self, number):
        with httpx2.Client(base_url=self._base_url, timeout=20) as client:
            while not self._stop.is_set():
                try:
                    if number % 2:
                        answer = client.post("/route", json={"prompt": "What are your opening hours?"})
                        artifact = answer.json().get("artifact")
                    else:
                        answer, artifact = client.post("/v1/chat/completions", json=CHAT), None
                    self.answers.append((time.monotonic(), answer.status_code, artifact))
                except Exception as error:
                    self.answers.append((time.monotonic(), type(error).__name__, None))


def test_promote_refuse_and_roll_back_under_load_without_a_failed_request(tmp_path):
    models = write_models(tmp_path / "models", "next", "broken")
    for version in ("next", "broken"):
        pass_verdict(models, version)
    policy = {"share_cap": 1.0}
    with served(tmp_path, classifier={"models": str(models), "refresh_ms": 100}, policy=policy) as running:

        def is_ready_with(**wanted):
            found = httpx2.get(f"{running.base_url}/readyz", timeout=20).json()
            return all(value in found[name] for name, value in wanted.items())

        def command(*arguments, status=0):
            done = weighbridge(*arguments, "--config", str(tmp_path / "weighbridge.toml"), cwd=tmp_path)
            assert done.returncode == status, done.stderr
            return done

        with Load(running.base_url) as load:
            running.wait_for(lambda: len(load.answers) > 50)
            command("promote", "next", "--to", "champion")
            promoted_at = time.monotonic()
            running.wait_for(lambda: is_ready_with(artifact="next"))
            assert time.monotonic() - promoted_at < 5.0
            # what the command would have refused may still happen to a folder afterwards
            damage(models / "broken")
            (models / "rollout.toml").write_text('champion = "broken"\n')
            running.wait_for(lambda: is_ready_with(rollout="damaged", artifact="next"))
            (models / "rollout.toml").write_text('champion = "next"\n')
            running.wait_for(lambda: is_ready_with(rollout="ok"))
            command("rollback")
            running.wait_for(lambda: is_ready_with(artifact=CHAMPION))
            seen = len(load.answers)
            running.wait_for(lambda: len(load.answers) > seen + 50)
        statuses = Counter(status for _, status, _ in load.answers)
        assert set(statuses) == {200}, statuses
        artifacts = [artifact for _, _, artifact in sorted(load.answers) if artifact]
        assert set(artifacts) == {CHAMPION, "next"}
        running.stop()
        rows = exported(running.log_path).values()
        assert len(rows) == len(load.answers)
        assert {row["prediction_source"] for row in rows} == {"classifier"}
        assert not [row for row in rows if row["outcome"] and row["outcome"]["status"] != "ok"]


@pytest.mark.parametrize("version", ["broken", "nowhere"])
def test_what_cannot_answer_is_refused_by_the_command(tmp_path, version):
    models = write_models(tmp_path / "models", "broken")
    pass_verdict(models, "broken")
    damage(models / "broken")
    (tmp_path / "weighbridge.toml").write_text(f'classifier.models = "{models}"')
    done = weighbridge("promote", version, "--to", "champion", cwd=tmp_path)
    assert done.returncode == 1
    assert version in done.stderr
