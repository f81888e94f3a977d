"""`weighbridge promote` and `weighbridge rollback`: which artifact answers, without a restart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from classifier.artifact import ArtifactError, bundled_models
from classifier.rollout_file import Plan, is_version, plan_of, read_plan, write_plan
from classifier.tier_classifier import TierClassifier
from classifier.verdict_file import VerdictError, read_verdict
from serving.cli.rollout_history import HISTORY, record, standing
from serving.cli.rollout_lock import one_at_a_time
from serving.errors import ConfigurationError
from serving.settings import load_settings

# Another promotion loads two artifacts, which takes a second or two.
_PATIENCE_S = 30.0

_CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), help="Settings; default ./weighbridge.toml."
)
_SMOKE = "What is the capital of France?"


@click.command()
@click.argument("version")
@click.option("--to", type=click.Choice(["shadow", "canary", "champion"]), required=True, help="Its role.")
@click.option(
    "--share", type=click.FloatRange(0, 1, min_open=True), default=0.1, show_default=True, help="A canary's."
)
@click.option("--override", is_flag=True, help="Promote without a passed verdict; needs --why.")
@click.option("--why", metavar="TEXT", help="Recorded with the promotion.")
@_CONFIG
def promote(
    version: str, to: str, share: float, override: bool, why: str | None, config: Path | None
) -> Path:
    """Give VERSION, a folder of classifier.models, a role; the running service takes it over in seconds.

    \b
    shadow     only watches: its predictions are logged beside the champion's
    canary     answers for a sticky share of users and conversations
    champion   answers

    A canary or champion needs a passed verdict on these very files (VERSION.verdict.json beside the folder).
    What nobody has judged may be shadow; what was judged and failed may not. A role that VERSION had before
    is taken from it. `weighbridge rollback` undoes the last promotion.
    """
    with _changing(config) as models:
        before = read_plan(models)
        after = _with_role(before, version, to, share)
        _check_artifact(models, version, before)
        judged = _judged(models, version)
        _check_verdict(version, to, judged, override, why)
        _change(
            models,
            before,
            after,
            action="promote",
            version=version,
            to=to,
            why=why,
            override=override and judged.keeps_from(to),
            verdict=judged.state,
            failed=judged.failed,
        )
    click.echo(f"{version} is {to} now. {_shown(after)}")
    if to != "shadow" and judged.beside not in (None, before.champion, version):
        click.echo(
            f"Note: the gate held it beside {judged.beside}, since when {before.champion} had become the "
            "champion. `weighbridge compare` tells what the log says of both.",
            err=True,
        )
    return models


@click.command()
@click.option("--why", metavar="TEXT", help="Recorded with the rollback.")
@_CONFIG
def rollback(why: str | None, config: Path | None) -> Path:
    """Undo the last promotion that still stands; the running service takes it over in seconds."""
    with _changing(config) as models:
        now = read_plan(models)
        promotions = standing(models)
        if not promotions:
            raise ConfigurationError(f"There is no promotion to undo in {models / HISTORY}. {_shown(now)}")
        before = plan_of(promotions[-1]["before"])
        for version in before.versions:
            _check_artifact(models, version, now)
        _change(models, now, before, action="rollback", why=why)
    click.echo(f"The last promotion is undone. {_shown(before)}")
    return models


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the gate said: `passed`, `failed`, or `missing` where nobody has judged these very files.

    `beside` is the champion of that moment.
    """

    state: str
    failed: tuple[str, ...] = ()
    problem: str = ""
    beside: str | None = None

    def keeps_from(self, role: str) -> bool:
        """Return whether this keeps an artifact from a role: watching is how what is unjudged is met."""
        return self.state == "failed" or (self.state == "missing" and role != "shadow")


def _with_role(plan: Plan, version: str, to: str, share: float) -> Plan:
    """Return the plan with an artifact in a role, and in no other."""
    if to != "champion" and version == plan.champion:
        raise ConfigurationError(
            f"{version} is the champion: it cannot be {to} as well. Promote another to champion first."
        )
    free = plan
    if version == plan.canary:
        free = replace(free, canary=None, canary_share=0.0)
    if version == plan.shadow:
        free = replace(free, shadow=None)
    if to == "champion":
        return replace(free, champion=version)
    return (
        replace(free, shadow=version) if to == "shadow" else replace(free, canary=version, canary_share=share)
    )


def _check_artifact(models: Path, version: str, plan: Plan) -> None:
    """Refuse what the service would refuse: it must load, answer, and speak of the champion's tiers."""
    if not is_version(version):
        raise ConfigurationError(f"{version!r} is no version: name a folder of {models}.")
    classifier = TierClassifier.load(models / version)
    classifier.predict_one(_SMOKE)
    try:
        tiers = TierClassifier.load(models / plan.champion).tiers
    except ArtifactError:
        # a champion that is broken must not keep another from taking its place
        return
    if classifier.tiers != tiers:
        raise ConfigurationError(
            f"{version} has the tiers {', '.join(classifier.tiers)}, the champion {', '.join(tiers)}. "
            "Train it on the same scale."
        )


def _judged(models: Path, version: str) -> _Judged:
    try:
        verdict = read_verdict(models, version)
    except VerdictError as error:
        return _Judged("missing", problem=str(error))
    if verdict.passed:
        return _Judged("passed", beside=verdict.champion)
    problem = f"its verdict has not passed ({', '.join(verdict.failed)})."
    return _Judged("failed", verdict.failed, problem, verdict.champion)


def _check_verdict(version: str, to: str, judged: _Judged, override: bool, why: str | None) -> None:
    if override and not (why or "").strip():
        raise ConfigurationError('--override needs its reason: --why "…". It is recorded.')
    if judged.keeps_from(to) and not override:
        way_out = "Promote it to shadow, or take" if judged.state == "missing" else "Train another, or take"
        raise ConfigurationError(
            f'{version}: {judged.problem} {way_out} the blame with --override --why "…".'
        )


def _change(models: Path, before: Plan, after: Plan, **what: Any) -> None:
    """Record a change, then make it: one that is recorded and was not made undoes to what is."""
    record(models, before, after, **what)
    write_plan(models, after)


def _models(config: Path | None) -> Path:
    return Path(load_settings(config, os.environ).classifier.models or bundled_models())


def _shown(plan: Plan) -> str:
    told = f"Champion {plan.champion}"
    if plan.canary:
        told += f", canary {plan.canary} for {plan.canary_share:.0%}"
    if plan.shadow:
        told += f", shadow {plan.shadow}"
    return f"{told}."


@contextmanager
def _changing(config: Path | None) -> Iterator[Path]:
    """Yield the folder of the artifacts while nobody else changes its rollout; tell what fails in a line."""
    try:
        models = _models(config)
        with one_at_a_time(models, _PATIENCE_S):
            yield models
    except (ArtifactError, ConfigurationError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}. Nothing has changed.") from None
