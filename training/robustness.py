"""Does the tier survive a prompt written differently? Seeded perturbations, and the share that keeps it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from classifier.reading import Prompt
from training.intervals import ROUNDS, bootstrap_interval

Classify = Callable[[Prompt], str]
Perturbation = Callable[[str, random.Random], str]

_WORDS_PER_TYPO = 12
_SHORT_WORDS = 25
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{4,}")
_OPTION = re.compile(r"^([ \t]*)(\(?[A-Ha-h1-8][).:])([ \t]+)(.+)$", re.MULTILINE)
_INLINE_OPTION = re.compile(
    r"(\([A-Ha-h1-8]\))[ \t]*([^()\n]+?)(?=[ \t]*\([A-Ha-h1-8]\)|[ \t]*$)", re.MULTILINE
)
_DROPPED = re.compile(r"\b(?:the|a|an|is|are|was|were|does|do|did|has|have)\b ", re.IGNORECASE)
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SYNONYMS = {
    "show": "display", "big": "large", "quick": "fast", "begin": "start", "buy": "purchase", "help": "assist",
    "make": "create", "need": "require", "find": "locate", "explain": "describe", "error": "fault",
    "shorten": "condense", "answer": "reply", "question": "query", "correct": "right", "write": "compose",
    "summarize": "sum up", "summarise": "sum up", "reply": "respond", "choose": "pick",
    "wrong": "incorrect", "list": "enumerate", "change": "alter", "check": "verify",
}  # fmt: skip
_POLITE = (
    ("Hi! Could you please help me with this? ", " Thank you so much!"),
    ("Hello, I hope you are well. ", " Many thanks in advance."),
    ("Please, if you don't mind: ", " Thanks!"),
)


def typos(text: str, draw: random.Random) -> str:
    """Hit a neighbour key, swap or drop letters in about one word of twelve, at least in one."""
    places = [found.span() for found in _WORD.finditer(text) if found.group().isascii()]
    wanted = min(len(places), max(1, len(text.split()) // _WORDS_PER_TYPO))
    for start, end in sorted(draw.sample(places, wanted), reverse=True):
        text = text[:start] + _mistyped(text[start:end], draw) + text[end:]
    return text


def case(text: str, draw: random.Random) -> str:
    """Write all in small letters, or the first letter large, or a short prompt in capitals."""
    ways = [text.lower(), text[:1].upper() + text[1:]]
    if len(text.split()) <= _SHORT_WORDS:
        ways.append(text.upper())
    return draw.choice(ways)


def whitespace(text: str, draw: random.Random) -> str:
    """Double some blanks, turn a few into line breaks, and leave blanks at the end."""
    parts = re.split(r"(?<=\S) (?=\S)", text)
    joints = [draw.choices((" ", "  ", "\n"), (80, 15, 5))[0] for _ in parts[1:]]
    return "".join(part + joint for part, joint in zip(parts, [*joints, "  \n"], strict=True))


def punctuation(text: str, draw: random.Random) -> str:
    """Drop the marks that end a clause, except inside numbers and words."""
    return re.sub(r"[.,;:!?](?=\s|$)", "", text)


def translated(text: str, draw: random.Random) -> str:
    """Drop articles and auxiliaries and swap two neighbouring words, as a rough translation would."""
    words = re.split(r"( )", _DROPPED.sub("", text))
    inner = [place for place in range(2, len(words) - 2, 2) if words[place].isalpha()]
    inner = [place for place in inner if words[place + 2].isalpha()]
    if inner:
        place = draw.choice(inner)
        words[place], words[place + 2] = words[place + 2], words[place]
    return "".join(words)


def options(text: str, draw: random.Random) -> str:
    """Reorder the answers of a multiple choice; the letters stay where they are.

    >>> options("Which? (A) red (B) blue", random.Random(1))
    'Which? (A) blue (B) red'
    """
    pattern, body = (_OPTION, 4) if len(_OPTION.findall(text)) > 1 else (_INLINE_OPTION, 2)
    found = list(pattern.finditer(text))
    if len(found) < 2:
        return text
    bodies = [one.group(body) for one in found]
    turn = draw.randrange(1, len(bodies))
    for one, other in zip(reversed(found), reversed(bodies[turn:] + bodies[:turn]), strict=True):
        text = text[: one.start(body)] + other + text[one.end(body) :]
    return text


def synonyms(text: str, draw: random.Random) -> str:
    """Put another word for each that a small list knows."""
    return re.sub(r"[a-z]+", lambda found: _SYNONYMS.get(found.group(), found.group()), text)


def polite(text: str, draw: random.Random) -> str:
    """Wrap the prompt in courtesy."""
    before, after = draw.choice(_POLITE)
    return f"{before}{text}{after}"


KINDS: Mapping[str, Perturbation] = {
    "typos": typos,
    "case": case,
    "whitespace": whitespace,
    "punctuation": punctuation,
    "translation": translated,
    "options": options,
    "synonyms": synonyms,
    "polite": polite,
}
_WHOLE = frozenset({"polite", "options"})


def perturb(prompt: Prompt, kind: str, seed: int = 7) -> Prompt:
    """Return the prompt with the prose of its last user message perturbed; code and history stay.

    >>> perturb("Fix `a  b`, please.", "punctuation")
    'Fix `a  b` please'
    """
    return change_request(prompt, lambda text: _prose(text, kind, random.Random(f"{seed}{text}")))  # noqa: S311


def change_request(prompt: Prompt, change: Callable[[str], str]) -> Prompt:
    """Return the prompt with the text of its last user message changed, everything else as it was."""
    if isinstance(prompt, str):
        return change(prompt)
    if isinstance(prompt, Mapping):
        name = "messages" if "messages" in prompt else "prompt"
        return {**prompt, name: change_request(prompt[name], change)}
    users = [place for place, message in enumerate(prompt) if message.get("role") == "user"]
    messages = list(prompt)
    if users and isinstance(messages[users[-1]].get("content"), str):
        last = messages[users[-1]]
        messages[users[-1]] = {**last, "content": change(last["content"])}
    return messages


def perturbed_pairs(prompts: Sequence[Prompt], kind: str, seed: int = 7) -> list[tuple[Prompt, Prompt]]:
    """Return (prompt, perturbed prompt) for those that the perturbation changes."""
    pairs = [(prompt, perturb(prompt, kind, seed)) for prompt in prompts]
    return [pair for pair in pairs if pair[0] != pair[1]]


def kept(pairs: Sequence[tuple[Prompt, Prompt]], classify: Classify) -> list[bool]:
    """Return, pair for pair, whether both sides have one required tier."""
    return [classify(first) == classify(second) for first, second in pairs]


def survival(same: Sequence[bool], seed: int = 7, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the share that kept their tier, with its interval; None without any.

    >>> survival([True, True])
    {'rows': 2, 'value': 1.0, 'low': 1.0, 'high': 1.0}
    """
    if not same:
        return {"rows": 0, "value": None, "low": None, "high": None}
    found = np.array(same)
    interval = bootstrap_interval(
        lambda chosen: float(found[chosen].mean()), len(found), seed=seed, rounds=rounds
    )
    return {"rows": len(found), **interval.as_dict()}


def paraphrases(file: Path, known: Collection[str]) -> list[tuple[str, str]]:
    """Return (id of the prompt, paraphrase) for each line {"id", "of", "prompt"}; none without the file."""
    if not file.is_file():
        return []
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    unknown = [row["of"] for row in rows if row["of"] not in known]
    if unknown:
        raise ValueError(f"{file.name}: {unknown[0]!r} is no id of the corpus. Correct its 'of'.")
    return [(row["of"], row["prompt"]) for row in rows]


def _prose(text: str, kind: str, draw: random.Random) -> str:
    if kind in _WHOLE:
        return KINDS[kind](text, draw)
    parts = _CODE.split(text)
    return "".join(
        part if place % 2 or not part.strip() else KINDS[kind](part, draw) for place, part in enumerate(parts)
    )


def _mistyped(word: str, draw: random.Random) -> str:
    place = draw.randrange(1, len(word) - 1)
    way = draw.choice(("neighbour", "swap", "drop"))
    if way == "drop" or (way == "swap" and word[place] == word[place + 1]):
        return word[:place] + word[place + 1 :]
    if way == "swap":
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    row = next((row for row in _ROWS if word[place].lower() in row), "")
    if not row:
        return word[:place] + word[place + 1 :]
    key = row.index(word[place].lower())
    return word[:place] + row[key - 1 if key else 1] + word[place + 1 :]
