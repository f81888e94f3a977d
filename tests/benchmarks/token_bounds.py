"""Fits the bounds of `serving/routing/token_rates.py` again: the tightest line per family.

`python -m tests.benchmarks.token_bounds` prints the seven rows of `at_most`. A linear program per family: the
least mean bound over all texts, never below the real count less the spare tokens that every bound has.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

from serving.routing.token_rates import COUNTED, RATES
from serving.routing.tokens import SPARE_TOKENS, _statistics

ROOT = Path(__file__).parents[2]
VOCABULARY = {
    "o200k": "o200k_base",
    "cl100k": "cl100k_base",
    "llama3": "llama3",
    "deepseek": "deepseek_v3",
    "qwen": "qwen3",
    "glm": "glm4",
    "tekken": "mistral_v3",
}
# First and last of the letters and signs that prompts bring along. Kana, ideographs and hangul come with
# the corpus: drawn at random they are words of no language, as random letters are, which no bound covers.
_SCRIPTS = (
    (0xC0, 0x17F), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA), (0x627, 0x64A), (0x905, 0x939),
    (0xE01, 0xE2E), (0x2190, 0x22FF), (0x2460, 0x24FF), (0x1F300, 0x1F64F),
)  # fmt: skip
_MARKS = string.punctuation


def texts(seed: int = 5) -> Iterator[str]:
    """Yield prompts, code, and texts of marks, numbers and signs as nobody writes them, seeded."""
    for path in sorted((ROOT / "training" / "corpus").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if isinstance(row.get("prompt"), str):
                yield row["prompt"]
    for path in sorted((ROOT / "serving").rglob("*.py")):
        yield path.read_text(encoding="utf-8")[:1_500]
    yield from odd_texts(seed)


def odd_texts(seed: int) -> Iterator[str]:
    """Yield what fits no language: marks, numbers, encodings, signs of many scripts, alone and mixed."""
    draw = random.Random(seed)
    for _ in range(200):
        size = draw.randint(5, 200)
        yield "".join(draw.choices(_MARKS, k=size))
        yield draw.choice(_MARKS) * size
        yield " ".join(draw.choices(_MARKS, k=size))
        yield draw.choice((" ", ",", ", ", "\n", "/", "-")).join(
            str(draw.randrange(10 ** draw.randint(1, 9))) for _ in range(size)
        )
        yield "".join(draw.choices(string.digits + _MARKS, k=size))
        yield "".join(draw.choices(string.digits + " ", k=size))
        yield " ".join(draw.choices(string.digits, k=size))
        yield draw.choice(("", " ")).join(
            draw.choice(string.ascii_lowercase) + draw.choice(_MARKS) for _ in range(size)
        )
        yield draw.choice((" ", "\n", "\t", " \n", "\r\n", "\n\n ", " \t")) * size
        yield base64.b64encode(draw.randbytes(size)).decode()
        yield draw.randbytes(size).hex()
        first, last = draw.choice(_SCRIPTS)
        yield "".join(chr(draw.randint(first, last)) for _ in range(size))
        yield " ".join(chr(draw.randint(first, last)) for _ in range(size))


def fitted(family: str) -> list[float]:
    """Return the least rates that no text goes beyond, in the order of COUNTED, with 7 % more."""
    import splintr  # only this needs the vocabularies

    vocabulary = splintr.Tokenizer.from_pretrained(VOCABULARY[family])
    found = [text for text in texts() if text]
    seen = np.array([_statistics(text.encode()) for text in found], dtype=np.float64)
    real = np.array([len(vocabulary.encode_ordinary(text)) for text in found], dtype=np.float64)
    cost = (seen / np.maximum(real, 20.0)[:, None]).mean(axis=0)
    solved = linprog(cost, A_ub=-seen, b_ub=SPARE_TOKENS - real, bounds=(0, None))
    if not solved.success:
        raise RuntimeError(f"{family}: {solved.message}")
    return [round(1.07 * float(rate), 4) for rate in solved.x]


def main() -> None:
    """Print the rates of every family."""
    for family in RATES:
        print(f'"{family}": {tuple(fitted(family))},  # {", ".join(COUNTED)}')


if __name__ == "__main__":
    main()
