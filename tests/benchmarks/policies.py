"""What the default policy is worth where answers were graded: cost and quality beside simple rules.

    python -m tests.benchmarks.policies --from FOLDER

reads `nine_models` (docs/data.md) out of a folder; nothing of it is in this repository. Its models are the
catalog. Quality is the share of correct answers, and not what was expected of it; a cost counts each prompt's
tokens and an answer of the length that the settings assume, since the data has no lengths.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifier.artifact import bundled_models, champion_folder, load_manifest
from serving.course import Course
from serving.rollout import Rollout
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Limits, RoutingRequest
from serving.routing.router import Inputs
from serving.routing.tokens import REFERENCE_FAMILY, count_tokens
from serving.settings import Settings, build_policy, load_settings
from serving.tables.live import LiveTables
from training.config import OUTCOME_TIERS
from training.intervals import Interval, bootstrap_interval, difference_interval, said_of
from training.sources import SOURCES, Outcome, SourceError, read_folder

Numbers = npt.NDArray[np.float64]

NAME = "nine_models"
# Dollars per million tokens, in and out alike, as the data's home states them beside it (read 2026-11-25):
# ulab-uiuc/LLMRouter, llmrouter/data/example_data/llm_candidates/default_llm.json, commit ebdba864.
PRICES = {
    "qwen2.5-7b-instruct": 0.20,
    "codegemma-7b": 0.20,
    "gemma-2-9b-it": 0.10,
    "llama-3.1-8b-instruct": 0.20,
    "llama3-chatqa-1.5-8b": 0.20,
    "mistral-7b-instruct-v0.3": 0.20,
    "llama-3.3-nemotron-super-49b-v1": 0.90,
    "llama-3.1-nemotron-51b-instruct": 0.90,
    "llama3-chatqa-1.5-70b": 0.90,
}
_FAMILIES = {"qwen": "qwen", "llama": "llama3"}
# Training's table leaves two models out, which fail on form; among nine they have the tier of their size.
_LEFT_OUT = {"llama3-chatqa-1.5-8b": "economy", "llama3-chatqa-1.5-70b": "premium"}
_SEED = 7
# Nothing but the tier that is asked for decides.
_UNBOUND = Policy(quality_floor=0.0, share_cap=1.0)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to send every prompt somewhere: dollars and quality of each, [N], and where they went."""

    name: str
    usd: Numbers
    quality: Numbers
    sent_to: str


def main() -> int:
    """Print the comparison; 1 where the data is not there or is another."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.policies", description=__doc__)
    parser.add_argument(
        "--from", dest="folder", type=Path, required=True, help="the folder that holds the data"
    )
    folder = parser.parse_args().folder
    try:
        rows = list(read_folder(SOURCES[NAME], folder))
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    for line in report(rows):
        print(line, flush=True)
    return 0


def report(rows: Sequence[Outcome]) -> Iterator[str]:
    """Yield the lines of the comparison, for three catalogs."""
    settings = load_settings(None, {})
    rollout = Rollout.load(bundled_models())
    data = load_manifest(champion_folder(bundled_models())).training.get("data", [])
    seen = NAME in {entry.get("name") for entry in data}
    yield (
        f"{len(rows):,} prompts of {len({row.task for row in rows})} tasks; artifact {rollout.artifact}, "
        f"{'TRAINED ON SUCH PROMPTS' if seen else 'which has seen none of them'}"
    )
    predicted = [rollout.predict({"prompt": row.prompt}) for row in rows]
    seven = {model: usd for model, usd in PRICES.items() if model not in _LEFT_OUT}
    for title, prices in (
        ("Nine models at list prices", PRICES),
        ("The seven models of training's table at list prices", seven),
        ("The same seven, a tier costing what its built-in demo does", tier_prices(settings, seven)),
    ):
        catalog = catalog_of(settings, prices)
        given = [
            Inputs(request(row, settings), prediction, catalog, LiveTables(catalog).snapshot(), Policy())
            for row, prediction in zip(rows, predicted, strict=True)
        ]
        yield f"\n{title}"
        yield from compared(rows, given, settings)


def tier_of(model: str) -> str:
    """Return the tier of a model by training's own table."""
    table = OUTCOME_TIERS[NAME]
    return _LEFT_OUT.get(model) or next(tier for tier, models in table.items() if model in models)


def tier_prices(settings: Settings, models: Iterable[str]) -> dict[str, float]:
    """Return for each model what a million answer tokens of its tier's demo deployment cost."""
    of_tier = {row.tier: row.usd_per_million_output for row in settings.deployments if row.adapter == "demo"}
    return {model: float(of_tier[tier_of(model)] or 0) for model in models}


def catalog_of(settings: Settings, prices: Mapping[str, float]) -> Catalog:
    """Return the nine models as deployments, each with the default quality of its tier."""
    rows = [
        Deployment(
            name=model,
            model=model,
            adapter="openai_compatible",
            tier=tier_of(model),
            quality=settings.quality_prior[tier_of(model)],
            usd_per_million_input=usd,
            usd_per_million_output=usd,
            tokenizer=next((family for word, family in _FAMILIES.items() if word in model), "unknown"),
            context_window_tokens=128_000,
        )
        for model, usd in prices.items()
    ]
    return Catalog({row.name: row for row in rows})


def request(row: Outcome, settings: Settings) -> RoutingRequest:
    """Return a prompt as a request that asks for nothing."""
    tokens, answer = count_tokens(row.prompt), settings.routing.expected_output_tokens
    return RoutingRequest(row.id, tokens[REFERENCE_FAMILY].expected, answer, answer, tokens=tokens)


def compared(rows: Sequence[Outcome], given: Sequence[Inputs], settings: Settings) -> Iterator[str]:
    """Yield a line per way with its cost, its quality and both intervals, then the differences."""
    send = Sender(rows, given, settings)
    default = send.by(build_policy(settings), "default policy")
    always = [
        send.by(_UNBOUND, f"always {tier}", Limits(minimum_tier=tier, maximum_tier=tier))
        for tier in OUTCOME_TIERS[NAME]
    ]
    words = np.array([len(row.prompt.split()) for row in rows], dtype=np.float64)
    at_random = best_mixture("random, equal cost", always, default, None)
    by_length = best_mixture("length, equal cost", always, default, words)
    yield f"  {'':<20}{'$ per 1,000':>26}{'correct':>24}   sent to"
    for way in (default, *always, at_random, by_length):
        dollars, correct = _told(_mean(way.usd * 1_000), ".4f"), _told(_mean(way.quality), ".3f")
        yield f"  {way.name:<20}{dollars:>26}{correct:>24}   {way.sent_to}"
    for other in (at_random, by_length):
        yield from _difference(default, other, [row.task for row in rows])


class Sender:
    """Sends every prompt somewhere, in one random order, the cap on the lowest tier counted along."""

    def __init__(self, rows: Sequence[Outcome], given: Sequence[Inputs], settings: Settings) -> None:
        self.rows = rows
        self.given = given
        self.settings = settings.policy
        self.order = np.random.default_rng(_SEED).permutation(len(rows))

    def by(self, policy: Policy, name: str, limits: Limits | None = None) -> Way:
        """Return what a policy, with limits on every prompt, comes to; equal sums go by name."""
        course = Course(
            share_window=self.settings.share_window, share_least=self.settings.share_least_decisions
        )
        asked = [self._asked(one, policy, limits) for one in self.given]
        course.warm_up(asked[place] for place in self.order[: self.settings.share_window])
        usd, quality = np.zeros(len(asked)), np.zeros(len(asked))
        sent: Counter[str] = Counter()
        for place in self.order:
            best = course.decide(asked[place]).chosen
            if best is None or best.token_cost_usd is None:
                raise ValueError(f"nothing may serve {self.rows[place].id}")
            usd[place], quality[place] = best.token_cost_usd, self.rows[place].scores[best.deployment]
            sent[best.deployment] += 1
        return Way(name, usd, quality, ", ".join(f"{model} {count:,}" for model, count in sent.most_common()))

    def _asked(self, one: Inputs, policy: Policy, limits: Limits | None) -> Inputs:
        request = one.request if limits is None else replace(one.request, limits=limits)
        return one._replace(policy=policy, request=request)


def best_mixture(name: str, ways: Sequence[Way], as_dear_as: Way, words: Numbers | None) -> Way:
    """Return the best of all mixtures of two ways that cost as much as another.

    Which prompts go the dearer way is drawn, or else the longest do, `words` [N] being their lengths.
    """
    found = []
    for low, high in permutations(ways, 2):
        dearer = high.usd - low.usd
        if (dearer <= 0).any() or not low.usd.mean() <= as_dear_as.usd.mean() <= high.usd.mean():
            continue
        budget = float(as_dear_as.usd.sum() - low.usd.sum())
        share = (
            np.full(len(dearer), budget / dearer.sum()) if words is None else longest(words, dearer, budget)
        )
        quality = low.quality + share * (high.quality - low.quality)
        told = f"{high.name.split()[-1]} {share.mean():.0%}, {low.name.split()[-1]} {1 - share.mean():.0%}"
        found.append(Way(name, low.usd + share * dearer, quality, told))
    return max(found, key=lambda way: way.quality.mean())


def longest(words: Numbers, dearer: Numbers, budget: float) -> Numbers:
    """Return which prompts go the dearer way [N], the longest first, until the budget is used up.

    >>> longest(np.array([5.0, 9.0, 7.0]), np.array([1.0, 1.0, 1.0]), 1.5).tolist()
    [0.0, 1.0, 0.5]
    """
    order = np.argsort(-words, kind="stable")
    before = np.cumsum(dearer[order]) - dearer[order]
    share = np.zeros(len(words))
    share[order] = np.clip((budget - before) / dearer[order], 0.0, 1.0)
    return share


def _mean(values: Numbers) -> Interval:
    return bootstrap_interval(_mean_of(values), len(values), seed=_SEED)


def _mean_of(values: Numbers) -> Callable[[npt.NDArray[np.int64]], float]:
    return lambda chosen: float(values[chosen].mean())


def _difference(one: Way, other: Way, tasks: Sequence[str]) -> Iterator[str]:
    for drawn, groups in (("prompts", None), ("whole tasks", tasks)):
        found = difference_interval(
            _mean_of(one.quality), _mean_of(other.quality), len(tasks), groups, seed=_SEED
        )
        yield f"  {one.name} - {other.name}: {_told(found, '+.3f')}, resampling {drawn}: {said_of(found)}"


def _told(found: Interval, shape: str) -> str:
    return f"{found.value:{shape}} ({found.low:{shape}} – {found.high:{shape}})"


if __name__ == "__main__":
    sys.exit(main())
