"""The surface of a prompt as numbers, counted once for training and serving: the second step of a prediction.

Everything is counted on the windows of a reading, so that the work is bounded however long the prompt is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from classifier.byte_kinds import PLACE, count_kinds
from classifier.lexicon import SHAPES, TASKS, UNSPACED, by_word
from classifier.reading import Reading

Vector: TypeAlias = npt.NDArray[np.float32]

# Raise it whenever a name, its meaning or the order changes: an artifact of another version is refused.
FEATURE_SCHEMA_VERSION = 6

# Where instructions stand: so many words from either end, and the very first, of which the first counts most.
EDGE_WORDS = 30
LEAD_WORDS = 6
_LEAD_CHARS = 80
# A rate of very few words says little.
_RATE_PRIOR_WORDS = 3.0

_CLASSES = (*TASKS, *SHAPES)
_PLACES = {name: place for place, name in enumerate(_CLASSES)}
_WORDS = by_word(TASKS | SHAPES, _PLACES)
_PIECES = by_word(UNSPACED, _PLACES)

# What parts words beside white space. Blanks in its place and a split at blanks take a quarter of what it
# takes a regex to find words.
_MARKS = b"!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~"
_OTHER_MARKS = "“”„«»‘’¿¡…–—−、。，！？：；（）「」؟،"
_PARTED = bytes(ord(" ") if byte in _MARKS else byte for byte in range(256))

_PIECE = re.compile("|".join(sorted(_PIECES, key=len, reverse=True)))
_LINE = re.compile(
    r"\n[ \t]{0,12}(?:([-*•+–] )|(\d{1,3}[.):] )|(\(?[A-Ha-h][).:] )|(#{1,6} )|(```|~~~)|(\|)|(>)|( {4}|\t))"
)
_LINE_KINDS = ("bullet", "numbered", "option", "heading", "fence", "table", "quote", "indented")
# Marks of code and of mathematics, by a character that each of them has and most prompts have not: looking
# for it costs a tenth of counting a mark.
_CODE_MARKS: Mapping[str, tuple[str, ...]] = {
    "=": ("==", "!=", "=>"),
    ">": ("->", "/>"),
    ":": ("::",),
    "(": ("()",),
    "{": ("{}", "${"),
    ";": (");",),
    "<": ("</",),
    "&": ("&&",),
    "|": ("||",),
    "#": ("#include",),
    "\n": ("\n    ",),
    "`": ("`",),
}
_MATHS_MARKS: Mapping[str, tuple[str, ...]] = {
    "=": (" = ", "=0"),
    "(": ("O(", "P(", "(x)", "(n)"),
    "[": ("E[",),
    **{mark: (mark,) for mark in "\\^$²³×·πℝℤ→"},
}
_OPERATOR = re.compile(r"[∀-⋿]")
_DIGITS = bytes(byte in b"0123456789" for byte in range(256))

_SHARES = (
    "capital",
    "digit",
    "space",
    "sentence",
    "comma",
    "bracket",
    "operator",
    "quotation",
    "latin_accent",
    "greek",
    "cyrillic",
    "arabic",
    "indic",
    "symbol",
    "kana",
    "han",
    "hangul",
    "emoji",
)
_SIZES = (
    "log_words",
    "log_chars",
    "log_lines",
    "log_unread_chars",
    "mean_word_chars",
    "words_per_sentence",
    "distinct_words",
    "log_first_paragraph",
    "log_last_paragraph",
    "log_numbers",
    "log_questions",
    "log_colons",
    "log_code",
    "log_maths",
    "is_tiny",
)
_CONTEXT = (
    "log_context_chars",
    "log_turns",
    "leans_on_context",
    "context_code",
    "context_maths",
    "context_numbers",
    "context_hard_tasks",
    "context_easy_tasks",
    "log_tools",
    "log_attachments",
    "has_schema",
)
_EASY_TASKS = ("pick_out", "label", "rework", "summarise", "translate")
_HARD_TASKS = ("debug", "prove", "plan", "judge", "calculate")

FEATURE_NAMES: tuple[str, ...] = (
    *_SIZES,
    *(f"share_{name}" for name in _SHARES),
    *(f"lines_{name}" for name in _LINE_KINDS),
    *(f"edge_{name}" for name in TASKS),
    *(f"words_{name}" for name in _CLASSES),
    *(f"rate_{name}" for name in _CLASSES),
    *(f"lead_{name}" for name in _CLASSES),
    *_CONTEXT,
)


def features(reading: Reading) -> Vector:
    """Return the surface of one reading, in the order of FEATURE_NAMES; finite for any text.

    >>> from classifier.reading import read
    >>> row = dict(zip(FEATURE_NAMES, features(read("Prove that 2 + 2 = 4.")).tolist()))
    >>> row["edge_prove"] > 0, round(row["share_digit"], 2)
    (True, 0.14)
    """
    counts = count_kinds(reading.request)
    words = _words(reading.request)
    row = [
        *_sizes(reading, words, counts),
        *_shares(counts),
        *_lines(reading.request),
        *_classes(reading.request, words, counts),
        *_context(reading, len(words)),
    ]
    return np.asarray(row, dtype=np.float32)


def _words(text: str) -> list[str]:
    lowered = text.lower()
    if not lowered.isascii():
        for mark in _OTHER_MARKS:
            lowered = lowered.replace(mark, " ")
    parted = lowered.encode("utf-8", "surrogatepass").translate(_PARTED)
    return parted.decode("utf-8", "surrogatepass").split()


def _sizes(reading: Reading, words: list[str], counts: list[float]) -> list[float]:
    text = reading.request
    total = _length(len(words), counts)
    # A Chinese or Japanese character says about as much as three letters.
    density = 1.0 + 2.0 * _unspaced(counts) / max(1, len(text))
    letters = counts[PLACE["lead"]] - counts[PLACE["space"]]
    sentences = 1.0 + counts[PLACE["sentence"]]
    return [
        math.log1p(total),
        math.log1p(density * len(text)),
        math.log1p(text.count("\n")),
        math.log1p(reading.unread_chars),
        min(20.0, letters / (1.0 + total)),
        min(60.0, total / sentences),
        len(set(words)) / len(words) if words else 0.0,
        math.log1p(density * _first_paragraph_chars(text)),
        math.log1p(density * (len(text) - 1 - text.rstrip().rfind("\n\n"))),
        math.log1p(_numbers(text) if counts[PLACE["digit"]] else 0),
        math.log1p(counts[PLACE["question"]]),
        math.log1p(counts[PLACE["colon"]]),
        math.log1p(_marks(text, _CODE_MARKS)),
        math.log1p(_marks(text, _MATHS_MARKS) + _operators(text)),
        1.0 / (1.0 + total / 4.0),
    ]


def _marks(text: str, marks: Mapping[str, tuple[str, ...]]) -> int:
    return sum([text.count(mark) for char, with_it in marks.items() if char in text for mark in with_it])


def _numbers(text: str) -> int:
    """Count the runs of digits."""
    marked = text.encode("utf-8", "replace").translate(_DIGITS)
    return marked.count(b"\0\1") + marked.startswith(b"\1")


def _operators(text: str) -> int:
    """Count what stands in Unicode's block of mathematical operators."""
    return 0 if text.isascii() else len(_OPERATOR.findall(text))


def _first_paragraph_chars(text: str) -> int:
    end = text.find("\n\n")
    return len(text) if end < 0 else end


def _shares(counts: list[float]) -> list[float]:
    total = max(1.0, counts[PLACE["lead"]])
    return [counts[PLACE[name]] / total for name in _SHARES]


def _lines(text: str) -> list[float]:
    """Return how many lines of each kind there are, as logarithms."""
    counts = [0] * len(_LINE_KINDS)
    # a regex that begins with a line break need look at nothing else; the first line has none before it
    for line in _LINE.finditer(f"\n{text}"):
        counts[(line.lastindex or 1) - 1] += 1
    return [math.log1p(count) for count in counts]


def _classes(text: str, words: list[str], counts: list[float]) -> list[float]:
    """Return every class of words: tasks near the edges, anywhere, as a rate near the edges, in the lead."""
    places = _placed(words)
    is_all_edge = len(words) <= 2 * EDGE_WORDS
    edges = places if is_all_edge else places[:EDGE_WORDS] + places[-EDGE_WORDS:]
    edge = _count(edges)
    whole = edge if is_all_edge else _count(places)
    if _unspaced(counts) or counts[PLACE["hangul"]]:
        whole = edge = [near + far for near, far in zip(edge, _count_pieces(text), strict=True)]
    length = _length(len(edges), counts) + _RATE_PRIOR_WORDS
    return [
        *map(math.log1p, edge[: len(TASKS)]),
        *map(math.log1p, whole),
        *[count / length for count in edge],
        *_lead(text, places),
    ]


def _placed(words: list[str]) -> list[int | None]:
    """Return the place of each word's class, None where it has none."""
    return list(map(_WORDS.get, words))


def _unspaced(counts: list[float]) -> float:
    return counts[PLACE["han"]] + counts[PLACE["kana"]]


def _length(words: int, counts: list[float]) -> float:
    """Return the number of words; where no space parts them, about two characters make one."""
    return words + _unspaced(counts) / 2.0


def _lead(text: str, places: list[int | None]) -> list[float]:
    """Return the classes of the first words, of the text or of its last paragraph, whichever says more."""
    first = _lead_of(places)
    last = text.rstrip().rfind("\n\n")
    if last < 0:
        return first
    return list(map(max, first, _lead_of(_placed(_words(text[last : last + _LEAD_CHARS])))))


def _lead_of(places: list[int | None]) -> list[float]:
    lead = [0.0] * len(_CLASSES)
    for order, place in enumerate(places[:LEAD_WORDS]):
        if place is not None:
            lead[place] += 1.0 / (1.0 + order)
    return lead


def _count(places: Iterable[int | None]) -> list[int]:
    counts = [0] * len(_CLASSES)
    for place in places:
        if place is not None:
            counts[place] += 1
    return counts


def _count_pieces(text: str) -> list[int]:
    counts = [0] * len(_CLASSES)
    for piece in _PIECE.findall(text):
        counts[_PIECES[piece]] += 1
    return counts


def _context(reading: Reading, request_words: int) -> list[float]:
    """Return what stands around the request; it counts the more, the less the request itself says."""
    leans = 1.0 / (1.0 + request_words / 6.0) if reading.context else 0.0
    return [
        math.log1p(reading.context_chars),
        math.log1p(reading.turns),
        leans,
        *_leant_on(reading.context, leans),
        math.log1p(reading.tools),
        math.log1p(reading.attachments),
        float(reading.has_schema),
    ]


def _leant_on(around: str, leans: float) -> list[float]:
    """Return code, mathematics, numbers, hard and easy tasks of the context, as far as it is leant on."""
    if not around:
        return [0.0] * 5
    classes = _count(_placed(_words(around)))
    seen = (
        _marks(around, _CODE_MARKS),
        _marks(around, _MATHS_MARKS) + _operators(around),
        _numbers(around),
        sum(classes[_PLACES[name]] for name in _HARD_TASKS),
        sum(classes[_PLACES[name]] for name in _EASY_TASKS),
    )
    return [leans * math.log1p(count) for count in seen]
