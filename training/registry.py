"""The store of runs, for people who compare them in `mlflow ui`; the only module that knows MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.config import TrainingConfig

EXPERIMENT = "weighbridge"


def register(
    uri: str, artifact: Path, config: TrainingConfig, report: Mapping[str, Any], *, passed: bool
) -> str:
    """Log parameters, figures and the artifact folder to an MLflow store; return the run's id.

    `uri` is such as `sqlite:///runs.db`; files then go beside the database, into `mlruns`.
    """
    # Nobody is told of a run but the store that was named.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow  # noqa: PLC0415  # seconds of import, and only when a store is named

    mlflow.set_tracking_uri(uri)
    _ensure_experiment(mlflow, uri)
    with mlflow.start_run(run_name=artifact.name) as run:
        mlflow.log_params({name: str(value) for name, value in asdict(config).items()})
        mlflow.log_metrics(_figures(report))
        mlflow.set_tag("verdict", "passed" if passed else "failed")
        mlflow.log_artifacts(str(artifact), artifact_path=artifact.name)
        return str(run.info.run_id)


def _ensure_experiment(mlflow: Any, uri: str) -> None:
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        prefix = "sqlite:///"
        beside = (
            Path(uri.removeprefix(prefix)).resolve().parent / "mlruns" if uri.startswith(prefix) else None
        )
        mlflow.create_experiment(EXPERIMENT, artifact_location=beside.as_uri() if beside else None)
    mlflow.set_experiment(EXPERIMENT)


def _figures(report: Mapping[str, Any]) -> dict[str, float]:
    figures = {
        name: float(report[name]) for name in ("accuracy", "under_routed", "over_routed", "two_tiers_under")
    }
    figures |= {f"recall_{tier}": float(share) for tier, share in report["recall"].items()}
    for tier, head in report["heads"].items():
        figures |= {
            f"{name}_{tier}": float(value) for name, value in head.items() if isinstance(value, int | float)
        }
    return figures
