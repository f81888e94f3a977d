"""When a deployment that did badly may try again: after a while, one request at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Chances:
    """Away for `wait_s`, which doubles with each disappointment up to `longest_s`; then single requests try.

    Times are seconds of whatever clock the caller uses throughout.
    """

    wait_s: float
    longest_s: float
    from_s: float | None = None
    disappointments: int = 0

    def is_away(self, now_s: float) -> bool:
        """Tell whether it is too early to try."""
        return self.from_s is not None and now_s < self.from_s

    def is_due(self, now_s: float) -> bool:
        """Tell whether it may try, one request at a time."""
        return self.from_s is not None and now_s >= self.from_s

    def disappoint(self, now_s: float) -> None:
        """Begin to wait; twice as long as before where a try has just failed."""
        if self.is_due(now_s):
            self.disappointments += 1
        self.from_s = now_s + min(self.wait_s * 2.0**self.disappointments, self.longest_s)

    def forgive(self) -> None:
        """Let all traffic come again."""
        self.from_s = None
        self.disappointments = 0
