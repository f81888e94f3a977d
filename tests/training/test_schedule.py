"""A schedule goes on whatever a round comes to."""

from __future__ import annotations

import pytest

from training.schedule import every, seconds_of


def test_a_failed_round_is_told_and_the_next_one_comes():
    done, told, slept = [], [], []

    def work():
        done.append(len(done))
        if len(done) % 2:
            raise RuntimeError(f"round {len(done)}")

    every(60.0, work, lambda error: told.append(str(error)), slept.append, rounds=4)
    assert done == [0, 1, 2, 3]
    assert told == ["round 1", "round 3"]
    assert len(slept) == 3 and all(59.0 < one <= 60.0 for one in slept)


def test_a_stop_is_no_failure():
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        every(1.0, stopped, lambda _: None, lambda _: None, rounds=3)


@pytest.mark.parametrize("text", ["", "24", "0h", "-1h", "1.5h", "24 h", "1w"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="Give one such as"):
        seconds_of(text)
