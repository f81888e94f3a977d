"""Every choice of a retraining in one frozen place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from training.config import ConfigError, TrainingConfig, config_of, read_settings
from training.feedback import FeedbackConfig

# With bins placed so, a fit takes a fifth of the time.
_TREE_BINS = 64
# The tables of a settings file that are not TrainingConfig's own.
_RETRAIN, _FEEDBACK = "retrain", "feedback"


@dataclass(frozen=True, slots=True)
class RetrainConfig:
    """How to retrain. `training` is the recipe, of which encoder, tiers and strictness are the champion's.

    `exports` are files, or folders of Parquet; `models` holds the champion and gets the candidate. `version`
    is made of the champion's and the data's where it is None. `held_out_share` (0–1) of the conversations
    judge and are never fitted on. Of more than `max_feedback_rows` graded rows so many are fitted on, whole
    conversations drawn by their digest, and `max_judging_rows` judge; `feedback_weight` is what a graded row
    counts for, on average, beside a row of the corpus. Fewer than `least_groups` conversations to fit on are
    refused, and so are prompts of whose tokens more than `most_unknown` are unknown to the encoder, or
    embeddings of which more than `most_far` lie beyond the corpus.
    """

    exports: tuple[Path, ...]
    models: Path
    version: str | None = None
    work: Path = Path("build/retrain")
    mlflow: str | None = None
    training: TrainingConfig = field(default_factory=lambda: TrainingConfig(tree_bins=_TREE_BINS))
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    feedback_weight: float = 1.0
    held_out_share: float = 0.2
    max_feedback_rows: int = 10_000
    max_judging_rows: int = 3_000
    least_groups: int = 40
    most_unknown: float = 0.1
    most_far: float = 0.5

    def numbers(self) -> dict[str, Any]:
        """Return every number that is special to a retraining, by its name."""
        own = {name: getattr(self, name) for name in _numbers(RetrainConfig)}
        return own | {f"feedback.{name}": value for name, value in asdict(self.feedback).items()}

    def __post_init__(self) -> None:
        """Refuse what no step could use."""
        if not 0.0 < self.held_out_share < 1.0:
            raise ConfigError(f"held_out_share: {self.held_out_share} must lie between 0 and 1.")
        if not 0.0 < self.feedback_weight < math.inf:
            raise ConfigError(f"feedback_weight: {self.feedback_weight} must be a number above 0.")
        if min(self.max_feedback_rows, self.max_judging_rows, self.least_groups) < 1:
            raise ConfigError("max_feedback_rows, max_judging_rows and least_groups must be 1 or more.")


def load_retrain_config(
    file: Path | None, *, corpus: Path | None = None, seed: int | None = None, **given: Any
) -> RetrainConfig:
    """Return the defaults, changed by a TOML file and then by all that is given and not None.

    The file is that of `weighbridge train`, with [retrain] and [feedback] for what is special here.
    `key_share` goes to the latter.
    """
    found = read_settings(file) if file else {}
    own, feedback = found.pop(_RETRAIN, {}), found.pop(_FEEDBACK, {})
    where = {name: given.pop(name, None) for name in ("executor", "ray_address", "workers")}
    training = config_of({"tree_bins": _TREE_BINS, **found}, corpus=corpus, seed=seed, **where)
    wanted = {name: value for name, value in given.items() if value is not None}
    if "key_share" in wanted:
        feedback = {**feedback, "key_share": wanted.pop("key_share")}
    numbers = {name: default for name, default in _numbers(RetrainConfig).items() if name != "version"}
    return RetrainConfig(
        training=training,
        feedback=replace(FeedbackConfig(), **_checked(_FEEDBACK, feedback, _numbers(FeedbackConfig))),
        **{**_checked(_RETRAIN, own, numbers), **wanted},
    )


def _numbers(kind: Any) -> dict[str, Any]:
    return {one.name: one.default for one in fields(kind) if isinstance(one.default, int | float)}


def _checked(table: str, found: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's settings; raise ConfigError for one that is unknown or no number of its kind."""
    if not isinstance(found, Mapping):
        raise ConfigError(f"[{table}] must be a table.")
    for name, value in found.items():
        if name not in known:
            raise ConfigError(f"Unknown setting {name!r} in [{table}]. Known: {', '.join(known)}.")
        kinds = (int,) if type(known[name]) is int else (int, float)
        if type(value) not in kinds:
            raise ConfigError(f"[{table}] {name}: must be a number, not {value!r}.")
    return dict(found)
