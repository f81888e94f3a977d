"""`weighbridge promote` and `weighbridge rollback`: which artifact answers, without a restart."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from classifier.artifact import ArtifactError, bundled_models
from classifier.rollout_file import Plan, is_version, plan_of, read_plan, write_plan
from classifier.tier_classifier import TierClassifier
from serving.errors import ConfigurationError
from serving.settings import load_settings

# Every change, one a line, the newest last: what `rollback` undoes, and who overrode a verdict why.
HISTORY = "rollout.history.jsonl"

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
) -> None:
    """Give VERSION, a folder of classifier.models, a role; the running service takes it over in seconds.

    \b
    shadow     only watches: its predictions are logged beside the champion's
    canary     answers for a sticky share of users and conversations
    champion   answers

    A canary or champion needs a passed verdict (VERSION.verdict.json beside its folder). A role that VERSION
    had before is taken from it. `weighbridge rollback` undoes the last promotion.
    """
    with _told():
        models = _models(config)
        before = read_plan(models)
        after = _with_role(before, version, to, share)
        _check_artifact(models, version, before)
        if to != "shadow":
            _check_verdict(models, version, override, why)
        overridden = override and to != "shadow"
        _change(models, before, after, action="promote", version=version, to=to, why=why, override=overridden)
    click.echo(f"{version} is {to} now. {_shown(after)}")


@click.command()
@click.option("--why", metavar="TEXT", help="Recorded with the rollback.")
@_CONFIG
def rollback(why: str | None, config: Path | None) -> None:
    """Undo the last promotion that still stands; the running service takes it over in seconds."""
    with _told():
        models = _models(config)
        now = read_plan(models)
        standing = _standing(models)
        if not standing:
            raise ConfigurationError(f"There is no promotion to undo in {models / HISTORY}. {_shown(now)}")
        before = plan_of(standing[-1]["before"])
        for version in before.versions:
            _check_artifact(models, version, now)
        _change(models, now, before, action="rollback", why=why)
    click.echo(f"The last promotion is undone. {_shown(before)}")


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


def _check_verdict(models: Path, version: str, override: bool, why: str | None) -> None:
    if override and not (why or "").strip():
        raise ConfigurationError('--override needs its reason: --why "…". It is recorded.')
    problem = _against(models / f"{version}.verdict.json")
    if problem is not None and not override:
        raise ConfigurationError(
            f'{version}: {problem} Promote it to shadow, or take the blame with --override --why "…".'
        )


def _against(file: Path) -> str | None:
    """Return what keeps a verdict from counting as passed, or None."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"there is no verdict ({file})."
    except (OSError, ValueError) as error:
        return f"its verdict {file} cannot be read ({error})."
    if not isinstance(found, dict):
        return f"its verdict {file} is no JSON object."
    if found.get("passed") is True:
        return None
    failed = [str(one.get("name")) for one in found.get("checks", ()) if not one.get("passed")]
    return f"its verdict has not passed ({', '.join(failed) or 'no check tells why'})."


def _change(models: Path, before: Plan, after: Plan, **what: Any) -> None:
    """Record a change, then make it: one that is recorded and was not made undoes to what is."""
    line = json.dumps({"at": time.time(), **what, "before": asdict(before), "after": asdict(after)})
    with (models / HISTORY).open("a", encoding="utf-8") as history:
        history.write(line + "\n")
    write_plan(models, after)


def _standing(models: Path) -> list[dict[str, Any]]:
    """Return the promotions that no rollback has undone, the oldest first."""
    try:
        lines = (models / HISTORY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    standing: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            if found["action"] == "promote":
                standing.append(found)
            elif standing:
                standing.pop()
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{models / HISTORY}, line {number}: is damaged ({error}).") from None
    return standing


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
def _told() -> Iterator[None]:
    try:
        yield
    except (ArtifactError, ConfigurationError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}. Nothing has changed.") from None
