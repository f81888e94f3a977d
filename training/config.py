"""Every choice of a training run in one frozen place; read by each step of the pipeline."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from classifier.tiers import DEFAULT_THRESHOLD, DEFAULT_TIERS

ENCODERS = ("static", "transformer")
EXECUTORS = ("local", "ray")


# Which models speak for which tier, per source. Two of nine_models' models are left out: they fail on form,
# and so say nothing of the prompt.
OUTCOME_TIERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "nine_models": {
        "economy": ("mistral-7b-instruct-v0.3", "codegemma-7b"),
        "standard": ("qwen2.5-7b-instruct", "gemma-2-9b-it", "llama-3.1-8b-instruct"),
        "premium": ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1"),
    },
    "routerbench": {
        "economy": (
            "mistralai/mistral-7b-chat",
            "WizardLM/WizardLM-13B-V1.2",
            "meta/code-llama-instruct-34b-chat",
        ),
        "standard": (
            "mistralai/mixtral-8x7b-chat",
            "zero-one-ai/Yi-34B-Chat",
            "gpt-3.5-turbo-1106",
            "claude-instant-v1",
        ),
        "premium": ("gpt-4-1106-preview", "claude-v2"),
    },
    # Those of its 64 models whose place is plain.
    "arena_55k": {
        "economy": (
            *("vicuna-7b", "vicuna-13b", "llama-2-7b-chat", "llama-2-13b-chat", "mistral-7b-instruct"),
            *("zephyr-7b-alpha", "zephyr-7b-beta", "koala-13b", "alpaca-13b", "chatglm-6b", "chatglm2-6b"),
            *("dolly-v2-12b", "fastchat-t5-3b", "oasst-pythia-12b", "stablelm-tuned-alpha-7b", "llama-13b"),
            *("RWKV-4-Raven-14B", "mpt-7b-chat", "gpt4all-13b-snoozy", "qwen1.5-4b-chat"),
        ),
        "standard": (
            *("gpt-3.5-turbo-0314", "gpt-3.5-turbo-0613", "gpt-3.5-turbo-1106", "gpt-3.5-turbo-0125"),
            *("claude-instant-1", "mixtral-8x7b-instruct-v0.1", "llama-2-70b-chat", "vicuna-33b"),
            *("wizardlm-70b", "tulu-2-dpo-70b", "yi-34b-chat", "gemini-pro", "deepseek-llm-67b-chat"),
        ),
        "premium": (
            *("gpt-4-0314", "gpt-4-0613", "gpt-4-1106-preview", "gpt-4-0125-preview"),
            *("claude-1", "claude-2.0", "claude-2.1", "mistral-medium"),
        ),
    },
}


class ConfigError(ValueError):
    """A setting that cannot be used; the message says which value and the way out."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train. Paths are relative to the working directory.

    `mlflow` is the registry's store, "none" for none; None takes that of the environment or the embedded one.
    `executor` is where rows are embedded and heads fitted: "local" in `workers` processes, or "ray" on the
    cluster at `ray_address`, None for one of this machine with so many workers. All give the same bytes.
    `encoder_source` is a sentence-transformers folder; None takes the packaged all-MiniLM-L6-v2.
    `embedding_weight` is how loudly the embedding speaks beside the features, before any fitting.
    `token_weight` is the same for the tokens themselves and their pairs; 0 leaves them out.
    `trees` are tried on top of each linear head, 0 for none: on the corpus they took nine tenths of a run's
    time and were never better. They split between so many `tree_bins` of each column, or, where that is 0,
    between scikit-learn's own. `dresses` is in how many other dresses each row is met too
    (`training.augment`), `dress_weight` what each of them counts.
    `regularisation` are the values of C that cross-validation chooses from, per head, over `inner_folds`;
    `folds` are those that judge. `resamples` are drawn for each interval. `measured` are sources that stand
    in the report and train nothing.
    """

    version: str = "2026.11.6"
    corpus: Path = Path(__file__).parent / "corpus"
    output: Path = Path("build/models")
    cache: Path = Path("build/encoders")
    mlflow: str | None = None
    executor: str = "local"
    ray_address: str | None = None
    workers: int = 1
    seed: int = 7
    tiers: tuple[str, ...] = DEFAULT_TIERS
    threshold: float = DEFAULT_THRESHOLD
    encoder: str = "static"
    encoder_source: str | None = None
    dimensions: int = 256
    sif: float = 1e-3
    embedding_weight: float = 0.5
    token_weight: float = 1.0
    clip: float = 3.0
    regularisation: tuple[float, ...] = (8.0,)
    folds: int = 5
    inner_folds: int = 3
    resamples: int = 1_000
    trees: int = 0
    tree_bins: int = 0
    dresses: int = 2
    dress_weight: float = 0.3
    compare: bool = False
    sources: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    sources_from: Path | None = None
    held_out_from: Path | None = None
    outcome_weight: float = 0.1
    outcome_margin: float = 0.1
    outcome_tiers: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: OUTCOME_TIERS)

    def __post_init__(self) -> None:
        """Refuse what no step could use."""
        problem = _problem(self)
        if problem:
            raise ConfigError(problem)


def load_config(file: Path | None, **overrides: Any) -> TrainingConfig:
    """Return the defaults, changed by a TOML file and then by every override that is not None.

    >>> load_config(None, seed=11, version=None).seed
    11
    """
    return config_of(read_settings(file) if file else {}, **overrides)


def config_of(found: Mapping[str, Any], **overrides: Any) -> TrainingConfig:
    """Return the defaults, changed by the settings found and then by every override that is not None."""
    given = {name: value for name, value in overrides.items() if value is not None}
    return replace(TrainingConfig(), **_typed({**found, **given}))


def read_settings(file: Path) -> dict[str, Any]:
    """Return what a TOML file holds; raise ConfigError where it cannot be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"Cannot read {file}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from error


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    known = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(TrainingConfig)
    }
    unknown = sorted(found.keys() - known.keys())
    if unknown:
        raise ConfigError(f"Unknown setting {unknown[0]!r}. Known: {', '.join(known)}.")
    return {
        name: _tables(value) if name == "outcome_tiers" else _as(name, value, known[name])
        for name, value in found.items()
    }


def _tables(found: Any) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Return the tables of a file, source by source, over those of the code."""
    if not isinstance(found, Mapping) or not all(isinstance(table, Mapping) for table in found.values()):
        raise ConfigError(
            "outcome_tiers: must be a table per source, such as [outcome_tiers.routerbench] with "
            f'economy = ["model", …], not {found!r}.'
        )
    return {
        **OUTCOME_TIERS,
        **{
            source: {tier: _as(f"outcome_tiers.{source}.{tier}", names, ()) for tier, names in table.items()}
            for source, table in found.items()
        },
    }


def _as(name: str, value: Any, default: Any) -> Any:
    """Return the value as the type of the default; raise ConfigError where it is of another."""
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        return tuple(_as(name, item, default[0] if default else "") for item in value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if name.endswith("_from"):
        default = Path()
    if isinstance(default, Path) and isinstance(value, str | Path):
        return Path(value)
    wanted = str if default is None else type(default)
    if type(value) is not wanted:
        raise ConfigError(f"{name}: must be of type {wanted.__name__}, not {value!r}.")
    return value


def _problem(config: TrainingConfig) -> str | None:
    if not config.version or Path(config.version).name != config.version:
        return f"version: {config.version!r} is not a folder name. Take something like 2026.11.2."
    if config.encoder not in ENCODERS:
        return f"encoder: {config.encoder!r} is unknown. Known: {', '.join(ENCODERS)}."
    if config.executor not in EXECUTORS:
        return f"executor: {config.executor!r} is unknown. Known: {', '.join(EXECUTORS)}."
    if config.workers < 1:
        return f"workers: {config.workers} must be 1 or more."
    if len(set(config.tiers)) != len(config.tiers) or len(config.tiers) < 2:
        return f"tiers: {config.tiers} must be two or more different names, the cheapest first."
    if not 0.0 < config.threshold < 1.0:
        return f"threshold: {config.threshold} must lie between 0 and 1."
    if not config.regularisation or min(config.regularisation) <= 0.0:
        return f"regularisation: {config.regularisation} must be numbers above 0."
    if (
        min(config.folds, config.inner_folds) < 2
        or config.dimensions < 2
        or config.sif <= 0.0
        or config.clip <= 0.0
    ):
        return "folds, inner_folds and dimensions must be 2 or more; sif and clip above 0."
    return None
