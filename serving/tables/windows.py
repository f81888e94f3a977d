"""The windows of budgets: hours, days and months of the calendar, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

PERIODS = ("hour", "day", "month")


class Window(NamedTuple):
    """One hour, day or month: its name, and when it begins and ends in Unix seconds."""

    name: str
    begins_at: int
    ends_at: int


def window_at(per: str, at_s: float) -> Window:
    """Return the window of a period that a moment falls into; its end is the next one's beginning.

    >>> window_at("day", 0.0)
    Window(name='1970-01-01', begins_at=0, ends_at=86400)
    >>> window_at("month", 1_798_000_000.0).name
    '2026-12'
    """
    moment = datetime.fromtimestamp(at_s, UTC).replace(minute=0, second=0, microsecond=0)
    if per == "hour":
        return _window(f"{moment:%Y-%m-%dT%H}", moment, moment + timedelta(hours=1))
    day = moment.replace(hour=0)
    if per == "day":
        return _window(f"{day:%Y-%m-%d}", day, day + timedelta(days=1))
    first = day.replace(day=1)
    # the 1st plus 31 days lies in the next month, whatever the month
    return _window(f"{first:%Y-%m}", first, (first + timedelta(days=31)).replace(day=1))


def _window(name: str, begins: datetime, ends: datetime) -> Window:
    return Window(name, int(begins.timestamp()), int(ends.timestamp()))
