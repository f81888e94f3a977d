"""Names that stand in one table and are meant in another: each must be there, and only once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from serving.settings.limits import LimitsSettings
from serving.settings.schema import Settings
from serving.settings.vocabulary import JUDGE, did_you_mean


def name_problems(settings: Settings) -> list[str]:
    """Return one sentence per name that is used twice, or that names nothing."""
    deployments = {word for row in settings.deployments for word in (row.name, row.model) if word is not None}
    return [
        *_repeated([row.name for row in settings.callers], "callers"),
        *_repeated([row.name for row in settings.budgets], "budgets"),
        *_repeated([row.name for row in settings.rules], "rules"),
        *_strange_limits([(f"caller {row.name!r}", row) for row in settings.callers], deployments),
        *_strange_limits([(f"rule {row.name!r}", row.then) for row in settings.rules], deployments),
        *_strange_callers(settings),
        *_strange_budgets(settings, deployments),
        *_strange_judge(settings),
    ]


def _strange_budgets(settings: Settings, deployments: set[str]) -> Iterator[str]:
    """A budget that holds for a name that nobody has would hold for nothing."""
    callers = {row.name for row in settings.callers}
    for row in settings.budgets:
        if row.caller is not None and row.caller not in callers:
            hint = did_you_mean(row.caller, sorted(callers)) if callers else "Add it there."
            yield f"budget {row.name!r}, caller: no [[callers]] row is called {row.caller!r}. {hint}"
        for name in row.deployments or ():
            if name not in deployments:
                hint = did_you_mean(name, sorted(deployments))
                yield (
                    f"budget {row.name!r}, deployments: {name!r} is neither a deployment nor a model. {hint}"
                )


def _strange_judge(settings: Settings) -> Iterator[str]:
    names = sorted(row.name for row in settings.deployments)
    judge = settings.judge.deployment
    if judge and judge not in names:
        yield f"judge.deployment: there is no deployment {judge!r}. {did_you_mean(judge, names)}"
    if any(row.name == JUDGE for row in settings.callers):
        yield f"callers: the name {JUDGE!r} is the judge's own. Choose another."


def _strange_callers(settings: Settings) -> Iterator[str]:
    names = {row.name for row in settings.callers}
    tiers = {row.user_tier for row in settings.callers if row.user_tier is not None}
    for row in settings.rules:
        for key, words, known in (
            ("callers", row.when.callers, names),
            ("user_tiers", row.when.user_tiers, tiers),
        ):
            for word in words:
                if word not in known:
                    hint = did_you_mean(word, sorted(known)) if known else "Add it there."
                    yield f"rule {row.name!r}, when.{key}: no [[callers]] row has {word!r}. {hint}"


def _repeated(names: Sequence[str], table: str) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{table}: the name {name!r} is used {count} times. Give each row a name of its own."


def _strange_limits(rows: Sequence[tuple[str, LimitsSettings]], known: set[str]) -> Iterator[str]:
    for told, row in rows:
        for key, names in (("allow", row.allow or ()), ("deny", row.deny), ("pin", row.pin)):
            for name in names:
                if name not in known:
                    hint = did_you_mean(name, sorted(known))
                    yield f"{told}, {key}: {name!r} is neither a deployment nor a model. {hint}"
