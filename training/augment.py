"""The same prompt in another dress, with the same label: noise, courtesy, and talk that should not count.

The dresses are worded apart from those of `training.attacks`, which measures what was learned from them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from classifier.reading import Prompt, read
from training.dataset import Row
from training.robustness import change_request, paraphrases, perturb

# Those that a reading cannot undo come more often.
_NOISE = (
    "typos", "typos", "case", "whitespace", "punctuation", "punctuation", "translation", "options",
    "synonyms",
)  # fmt: skip
# Noise is commoner than talk, as it is in life.
_NOISE_SHARE = 0.5

_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
# Words of other prompts, strewn in, come as often as two of the kinds of talk.
_STREWN = "strewn"
_STREWN_SHARES = 2
# How many pieces of padding make one.
_PADDING_PIECES = (1, 1, 1, 2, 4)
# Part of the training, like the perturbations: every corpus is met in it.
TALK = Path(__file__).parent / "corpus" / "talk" / "rows.jsonl"


@dataclass(frozen=True, slots=True)
class Talk:
    """What stands before and after a request and says nothing of the work, by kind; `words` are strewn in."""

    by_kind: Mapping[str, Sequence[tuple[str, str]]]
    words: Sequence[str] = ()


def read_talk(file: Path, words: Sequence[str] = ()) -> Talk:
    """Return the lines {"kind", "before" or "after"} of a file, in their order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["kind"], []).append((row.get("before", ""), row.get("after", "")))
    return Talk(found, words)


def augmented(rows: Sequence[Row], seed: int, copies: int = 1) -> list[Row]:
    """Return so many other dresses of every row, copy by copy; the same seed dresses them the same way."""
    talk = read_talk(TALK, _vocabulary(rows))
    found = []
    for copy in range(copies):
        for row in rows:
            draw = random.Random(f"{seed} {copy} {row.id}")  # noqa: S311  # not a secret
            prompt = dressed(row.prompt, draw, talk)
            found.append(replace(row, prompt=prompt, reading=read(prompt)))
    return found


def other_words(rows: Sequence[Row], file: Path) -> list[Row]:
    """Return a row in other words for each line {"id", "of", "prompt"} of a file; none without the file."""
    by_id = {row.id: row for row in rows}
    return [
        replace(by_id[of], prompt={"prompt": text}, reading=read(text))
        for of, text in paraphrases(file, by_id.keys())
    ]


def dressed(prompt: Mapping[str, object], draw: random.Random, talk: Talk) -> Mapping[str, object]:
    """Return a prompt with noise in its last request, or with talk around it."""
    found: Prompt
    if draw.random() < _NOISE_SHARE:
        found = prompt
        for kind in draw.sample(_NOISE, draw.choice((1, 1, 2))):
            found = perturb(found, kind, draw.randrange(1 << 30))
    else:
        before, after = _talk(draw, talk)
        found = change_request(prompt, lambda text: f"{before}{text}{after}")
    return found  # type: ignore[return-value]  # a mapping stays one


def _vocabulary(rows: Sequence[Row]) -> list[str]:
    """Return the longer words of the rows, so that those that give a tier away stand anywhere."""
    found = {word for row in rows for word in _LONG_WORD.findall(row.reading.request)}
    return sorted(found)


def _talk(draw: random.Random, talk: Talk) -> tuple[str, str]:
    """Return what stands before and after the request."""
    kind = draw.choice([*talk.by_kind, *[_STREWN] * (_STREWN_SHARES if talk.words else 0)])
    if kind == _STREWN:
        said = draw.choice((" ", ", ")).join(draw.choices(talk.words, k=draw.randint(2, 8)))
        return (f"{said} ", "") if draw.random() < 0.5 else ("", draw.choice((f" {said}", f"\n\n{said}")))
    pieces = draw.choices(talk.by_kind[kind], k=draw.choice(_PADDING_PIECES) if kind == "padding" else 1)
    return "".join(before for before, _ in pieces), "".join(after for _, after in pieces)
