"""The registry: each artifact once as a run and a version, its roles as aliases; the only module with MLflow.

A version appears in one step, when all its files are there: what stops before leaves none. Aliases follow
`rollout.toml`, which serving reads and nobody here writes; they are for people and tools that ask MLflow.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.artifact import ArtifactError
from classifier.rollout_file import Plan, read_plan
from training.run_facts import MANIFEST_TAG, VERDICT_TAGS, VERSION_TAG, RunFacts, run_facts

# The name of the experiment and of the registered model.
NAME = "weighbridge"
# Beside the decision log; its files go into a folder beside it.
EMBEDDED = "sqlite:///weighbridge-data/mlflow.db"
OFF = "none"
ROLES = ("champion", "canary", "shadow")

_SQLITE = "sqlite:///"
_FILES = "artifact"
# As many as MLflow takes at once.
_MOST_PARAMETERS = 100
_ENVIRONMENT = {
    # Nobody is told of a run but the store that was named.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A server that is down is told of within seconds; its default of 7 tries takes minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}


class RegistryError(RuntimeError):
    """The registry did not do what was asked; the message says what stands, and the way out."""


@dataclass(frozen=True, slots=True)
class Registered:
    """An artifact in the registry: `number` is MLflow's count of versions, `new` whether it came just now."""

    version: str
    number: str
    run_id: str
    new: bool


def store_uri(named: str | None) -> str | None:
    """Return which store is meant: the named one, that of MLFLOW_TRACKING_URI, or the embedded one.

    None where `none` was named.

    >>> store_uri("http://registry:5000"), store_uri("none")
    ('http://registry:5000', None)
    """
    found = named or os.environ.get("MLFLOW_TRACKING_URI") or EMBEDDED
    return None if found == OFF else found


def configured_uri() -> str | None:
    """Return the store that somebody has set up already, or None: nobody is surprised by a new one."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named:
        return store_uri(named)
    return EMBEDDED if _database(EMBEDDED).is_file() else None


def register(uri: str, artifact: Path, parameters: Mapping[str, object] | None = None) -> Registered:
    """Put an artifact folder into the registry, or find it there; raise RegistryError, ArtifactError.

    Parameters, figures and plots are those of the folder, the verdict is that beside it; `parameters` are
    added to them. No alias moves. An artifact that is there already is left as it is, but for its verdict.
    """
    facts = run_facts(artifact)
    again = f"weighbridge registry add {artifact} --mlflow {_shown(uri)}"
    with _told(uri, f"{facts.version} is not registered. Once the registry answers: {again}"):
        return _registered(_client(uri), uri, facts, parameters or {})


def follow(uri: str, models: Path) -> dict[str, Registered]:
    """Bring the aliases in line with `rollout.toml`, and return who has which role.

    What it names and the registry does not know is registered first.
    """
    plan = read_plan(models)
    again = f"weighbridge registry sync --models {models} --mlflow {_shown(uri)}"
    with _told(uri, f"The roles in {models} hold all the same. Once the registry answers: {again}"):
        client = _client(uri)
        held = _roles(plan)
        found = {role: _registered(client, uri, run_facts(models / held[role]), {}) for role in held}
        _move_aliases(client, {role: one.number for role, one in found.items()})
        return found


def _roles(plan: Plan) -> dict[str, str]:
    return {role: version for role in ROLES if (version := getattr(plan, role)) is not None}


def _move_aliases(client: Any, wanted: Mapping[str, str]) -> None:
    held = {alias: str(number) for alias, number in client.get_registered_model(NAME).aliases.items()}
    for role in ROLES:
        if role in wanted and held.get(role) != wanted[role]:
            client.set_registered_model_alias(NAME, role, wanted[role])
        elif role not in wanted and role in held:
            client.delete_registered_model_alias(NAME, role)


def _registered(client: Any, uri: str, facts: RunFacts, parameters: Mapping[str, object]) -> Registered:
    _ensure_model(client)
    known = _version(client, facts)
    if known is not None:
        _finish(client, known, facts)
        return Registered(facts.version, str(known.version), known.run_id, new=False)
    experiment = _experiment(client, uri)
    _drop_unfinished(client, experiment, facts)
    run = client.create_run(experiment, run_name=facts.version, tags=dict(facts.tags))
    try:
        _log(client, run.info.run_id, facts, parameters)
        made = client.create_model_version(
            NAME,
            source=f"{run.info.artifact_uri}/{_FILES}",
            run_id=run.info.run_id,
            tags=dict(facts.tags),
            description=f"{facts.version}: {facts.parameters['created_by']}",
        )
    except BaseException:
        # where the registry is gone, so is this; the next registration does it then
        with contextlib.suppress(Exception):
            _drop_unfinished(client, experiment, facts)
        raise
    _finish(client, made, facts)
    return Registered(facts.version, str(made.version), run.info.run_id, new=True)


def _ensure_model(client: Any) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    if client.search_registered_models(f"name = '{NAME}'"):
        return
    try:
        client.create_registered_model(NAME, description="The classifiers of Weighbridge, one a version.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _version(client: Any, facts: RunFacts) -> Any | None:
    """Return the version that holds these very files; the first, should two have raced."""
    same_name = client.search_model_versions(f"name = '{NAME}' and tag.`{VERSION_TAG}` = '{facts.version}'")
    other = [one for one in same_name if one.tags.get(MANIFEST_TAG) != facts.tags[MANIFEST_TAG]]
    if other:
        raise RegistryError(
            f"The registry has {facts.version} with other files (version {other[0].version} of {NAME}). "
            "An artifact is never edited: give the new one another --version."
        )
    return min(same_name, key=lambda one: int(one.version), default=None)


def _experiment(client: Any, uri: str) -> str:
    found = client.get_experiment_by_name(NAME)
    if found is not None:
        return str(found.experiment_id)
    beside = _database(uri).parent.joinpath("mlruns").as_uri() if uri.startswith(_SQLITE) else None
    return str(client.create_experiment(NAME, artifact_location=beside))


def _drop_unfinished(client: Any, experiment: str, facts: RunFacts) -> None:
    """Delete the runs of these files that stopped before there was a version of them."""
    same = f"tags.`{MANIFEST_TAG}` = '{facts.tags[MANIFEST_TAG]}' and attributes.status != 'FINISHED'"
    for run in client.search_runs([experiment], same):
        if not client.search_model_versions(f"run_id = '{run.info.run_id}'"):
            client.set_terminated(run.info.run_id, "FAILED")
            client.delete_run(run.info.run_id)


def _log(client: Any, run_id: str, facts: RunFacts, parameters: Mapping[str, object]) -> None:
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    now_ms = int(time.time() * 1000)
    told = {**{name: str(value) for name, value in parameters.items()}, **facts.parameters}
    rows = [Param(name, value) for name, value in told.items()]
    for first in range(0, len(rows), _MOST_PARAMETERS):
        client.log_batch(run_id, params=rows[first : first + _MOST_PARAMETERS])
    client.log_batch(run_id, [Metric(name, value, now_ms, 0) for name, value in facts.figures.items()])
    client.log_artifacts(run_id, str(facts.folder), _FILES)
    if facts.verdict is not None:
        client.log_artifact(run_id, str(facts.verdict))
    there = {Path(one.path).name: one.file_size for one in client.list_artifacts(run_id, _FILES)}
    if there != facts.files:
        lost = sorted(name for name, size in facts.files.items() if there.get(name) != size)
        raise OSError(f"it kept {', '.join(lost) or 'the files'} otherwise than they were sent")


def _finish(client: Any, version: Any, facts: RunFacts) -> None:
    """Close the run of a version, and tell both what the gate says by now; again does no harm."""
    run = client.get_run(version.run_id)
    if facts.verdict is not None and run.data.tags.get(VERDICT_TAGS[-1]) != facts.tags[VERDICT_TAGS[-1]]:
        client.log_artifact(version.run_id, str(facts.verdict))
    for name in VERDICT_TAGS:
        said = facts.tags.get(name, "")
        if version.tags.get(name, "") != said:
            client.set_model_version_tag(NAME, version.version, name, said)
        if run.data.tags.get(name, "") != said:
            client.set_tag(version.run_id, name, said)
    if run.info.status != "FINISHED":
        client.set_terminated(version.run_id)


def _client(uri: str) -> Any:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow  # noqa: PLC0415  # seconds of import, and only when a store is asked
    except ModuleNotFoundError as error:
        raise RegistryError(
            f"{error}. The registry needs more: pip install 'weighbridge[training]'."
        ) from error
    if uri.startswith(_SQLITE):
        _database(uri).parent.mkdir(parents=True, exist_ok=True)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def _shown(uri: str) -> str:
    """Return a store's address without what should not be read over a shoulder.

    >>> _shown("https://me:secret@registry:5000"), _shown("sqlite:///data/mlflow.db")
    ('https://me:…@registry:5000', 'sqlite:///data/mlflow.db')
    """
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:…@", uri)


def _database(uri: str) -> Path:
    return Path(uri.removeprefix(_SQLITE)).resolve()


@contextlib.contextmanager
def _told(uri: str, what: str) -> Iterator[None]:
    """Turn whatever a store may raise into one error that says what that leaves behind."""
    try:
        yield
    except (ArtifactError, RegistryError):
        raise
    except Exception as error:
        # MLflow, its database and its transport each have a family of their own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise RegistryError(f"The registry at {_shown(uri)} failed ({reason[:300]}). {what}") from error
