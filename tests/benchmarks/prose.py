"""Prompts to measure with: windows of a given length over the project's own corpus, no two alike."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

from tests.benchmarks.plan import ROOT

CORPUS = ROOT / "training" / "corpus"

# words with the space after them, so that lines, lists and code keep their shape
_WORD = re.compile(r"\S+\s*")


class Prose:
    """English and code of the corpus as one long text, from which prompts are cut at random places."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)
        texts = [text for path in sorted(CORPUS.glob("*.jsonl")) for text in _english(path)]
        self._random.shuffle(texts)
        self._words = [word for text in texts for word in _WORD.findall(text + "\n")]

    def prompt(self, words: int) -> str:
        """Return a text of that many words."""
        start = self._random.randrange(len(self._words) - words)
        return "".join(self._words[start : start + words]).strip()

    def prompts(self, words: int, count: int) -> list[str]:
        """Return texts of that many words, each from another place."""
        return [self.prompt(words) for _ in range(count)]


def _english(path: Path) -> list[str]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [_text(row) for row in rows if row.get("language") == "en"]


def _text(row: dict[str, object]) -> str:
    if isinstance(row.get("prompt"), str):
        return str(row["prompt"])
    messages = row.get("messages")
    contents = [message.get("content") for message in messages] if isinstance(messages, list) else []
    return "\n".join(content for content in contents if isinstance(content, str))
