"""Names that stand in one table and are meant in another: each must be there, and only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from serving.settings.limits import CallerSettings, LimitsSettings
from serving.settings.schema import Settings
from serving.settings.vocabulary import did_you_mean


def name_problems(settings: Settings) -> list[str]:
    """Return one sentence per name that is used twice, or that names nothing."""
    deployments = {word for row in settings.deployments for word in (row.name, row.model) if word is not None}
    return [
        *_repeated([row.name for row in settings.callers], "callers"),
        *(problem for row in settings.callers for problem in _strange(row, _told(row), deployments)),
    ]


def _told(row: CallerSettings) -> str:
    return f"caller {row.name!r}"


def _repeated(names: Sequence[str], table: str) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{table}: the name {name!r} is used {count} times. Give each row a name of its own."


def _strange(row: LimitsSettings, told: str, known: set[str]) -> Iterator[str]:
    for key, names in (("allow", row.allow or ()), ("deny", row.deny), ("pin", row.pin)):
        for name in names:
            if name not in known:
                hint = did_you_mean(name, sorted(known))
                yield f"{told}, {key}: {name!r} is neither a deployment nor a model. {hint}"
