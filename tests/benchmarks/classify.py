"""One classification in process, on one core, beside its own tokenizer and the transformer encoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles

from tests.benchmarks import transformer
from tests.benchmarks.figures import Figure
from tests.benchmarks.machine import pinned, server_core
from tests.benchmarks.plan import Plan, Skipped
from tests.benchmarks.prose import Prose

_SIZES = (20, 100, 500, 2_000)

# words: p50, p99 in milliseconds
_WANTED: dict[int, tuple[float | None, float | None]] = {100: (0.5, 2.0), 2_000: (5.0, None)}
_MOST_PROMPTS = 3_000
_FEWEST_PROMPTS = 20

# more than the second-level cache of a core holds
_OTHER_WORK_BYTES = 4_000_000


def measure(plan: Plan) -> Iterator[Figure | str]:
    """Yield p50 and p99 for each length, then the transformer's beside them."""
    other, missing = _transformer(plan)
    with pinned(server_core()):
        # imported here, so that the libraries' threads are on the one core too
        from tokenizers import Tokenizer

        from classifier.artifact import TOKENIZER, bundled_models, champion_folder
        from classifier.tier_classifier import TierClassifier

        folder = champion_folder(bundled_models())
        predict = TierClassifier.load(folder).predict_one
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        prose = Prose()
        yield from _figures("", "tokenizing", predict, tokenizer.encode, prose, plan, is_barred=True)
        yield _cold(predict, prose, plan)
        if other is None:
            yield f"no rows for the transformer encoder: {missing}"
            return
        slow = TierClassifier.load(other).predict_one
        yield from _figures("transformer, ", "static", slow, predict, prose, plan)


def _transformer(plan: Plan) -> tuple[Path | None, str]:
    try:
        return transformer.artifact(plan), ""
    except Skipped as reason:
        return None, str(reason)


def _figures(
    prefix: str,
    beside: str,
    work: Callable[[str], object],
    floor: Callable[[str], object],
    prose: Prose,
    plan: Plan,
    *,
    is_barred: bool = False,
) -> Iterator[Figure]:
    for words in _SIZES:
        rounds = [
            (_p50_p99(work, prose, words, plan.seconds), _p50_p99(floor, prose, words, plan.seconds))
            for _ in range(plan.repeats)
        ]
        wanted = _WANTED.get(words, (None, None)) if is_barred else (None, None)
        for place, label in enumerate(("p50", "p99")):
            yield Figure(
                "classify",
                f"{prefix}{words:,} words, {label}",
                "ms",
                tuple(mine[place] for mine, _ in rounds),
                beside,
                tuple(other[place] for _, other in rounds),
                at_most=wanted[place],
            )


def _cold(predict: Callable[[str], object], prose: Prose, plan: Plan) -> Figure:
    """Return what a classification takes in a server, where other work has emptied the processor's caches."""
    other = bytes(_OTHER_WORK_BYTES)
    values, warm = [], []
    for _ in range(plan.repeats):
        values.append(_p50_p99(predict, prose, 100, plan.seconds, between=lambda: other.count(1))[0])
        warm.append(_p50_p99(predict, prose, 100, plan.seconds)[0])
    return Figure("classify", "100 words, cold caches, p50", "ms", tuple(values), "warm", tuple(warm))


def _p50_p99(
    work: Callable[[str], object],
    prose: Prose,
    words: int,
    seconds: float,
    between: Callable[[], object] = lambda: None,
) -> tuple[float, float]:
    """Return milliseconds over prompts that are all different, with other work `between` them."""
    for text in prose.prompts(words, 5):
        work(text)
    times_ms: list[float] = []
    until = time.perf_counter() + seconds
    while len(times_ms) < _FEWEST_PROMPTS or (time.perf_counter() < until and len(times_ms) < _MOST_PROMPTS):
        text = prose.prompt(words)
        between()
        started = time.perf_counter()
        work(text)
        times_ms.append((time.perf_counter() - started) * 1000.0)
    cuts = quantiles(times_ms, n=100, method="inclusive")
    return cuts[49], cuts[98]
