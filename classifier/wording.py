"""What of a request's wording says nothing of the work that is asked for: broken lines, repetition, words
strewn beside it, and turns that somebody pasted into one message.

Everything here is a handful of linear passes; the text that is sent on is never touched.
"""

from __future__ import annotations

import re

# A line that was broken in the middle of a sentence.
_BROKEN = re.compile(r"\n(?<=[^\W\d_A-Z]\n|[,;]\n)(?=[^\W\d_A-Z])")
_MARKS = "-=*_~.#+!?"
_LONG_RUN = re.compile(rf"([{_MARKS}])\1{{3,}}")
_LEAST_REPEATED_CHARS = 24

# Words that hold a sentence together, in the languages people write most: without any, it is a heap of words.
_JOINTS_TEXT = """
a an the and or of to in on at by for with from is are was be do does how what who why when which where
i you he she it we they my your our this that these if not no can could should would please me us
der die das und oder ein eine ist im zu mit für von ich du sie wie was warum nicht bitte auf
le la les un une des et ou de du est pour avec que qui je vous dans comment pourquoi pas
el los las y o del es para con por no se una como qué en al
il lo gli di che è per non con una
os um uma e do da não é com para
"""
_JOINTS = frozenset(_JOINTS_TEXT.split())
_HEAP_WORDS = range(3, 13)
_HEAP_CHARS = 160
_BARE_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LEAST_REST_WORDS = 4

_TURN = re.compile(r"^[ \t]*(user|human|q|assistant|ai|bot|a)[ \t]*:[ \t]*", re.IGNORECASE | re.MULTILINE)
# Beginning with what is rare, it is found without a look at every character.
_ANSWER = re.compile(r"\n[ \t]*(?:assistant|ai|bot|a)[ \t]*:", re.IGNORECASE)
_ANSWERS = frozenset(("assistant", "ai", "bot", "a"))


def plain_wording(text: str) -> str:
    """Return the text without what says nothing of the work.

    >>> plain_wording("Sort these\\nnumbers: 3, 1, 2")
    'Sort these numbers: 3, 1, 2'
    """
    if "\n" in text:
        text = _BROKEN.sub(" ", text)
    if any(4 * mark in text for mark in _MARKS if mark in text):
        text = _LONG_RUN.sub(r"\1\1\1", text)
    return without_heap(_once(text))


def _once(text: str) -> str:
    """Return the text with each of its longer sentences said once."""
    parts = text.split(". ")
    if len(parts) == len(set(parts)):
        return text
    seen: set[str] = set()
    kept = []
    for part in parts:
        if part not in seen or len(part) < _LEAST_REPEATED_CHARS:
            kept.append(part)
        seen.add(part)
    return ". ".join(kept)


def without_heap(text: str) -> str:
    """Return the text without a first or last paragraph that is a heap of words, where more is left.

    >>> without_heap("Prove that there are infinitely many primes.\\n\\nhello weather thanks emoji")
    'Prove that there are infinitely many primes.'
    """
    if "\n\n" not in text:
        return text
    paragraphs = text.split("\n\n")
    for place in (-1, 0):
        rest = paragraphs[:-1] if place else paragraphs[1:]
        if is_heap(paragraphs[place]) and _is_enough(rest, announces=bool(place)):
            paragraphs = rest
    return "\n\n".join(paragraphs)


def _is_enough(paragraphs: list[str], announces: bool) -> bool:
    """Tell whether these say something without what stands beside them, which a colon would announce."""
    if not paragraphs or (announces and paragraphs[-1].rstrip().endswith(":")):
        return False
    return sum(len(one.split()) for one in paragraphs) >= _LEAST_REST_WORDS


def is_heap(text: str) -> bool:
    """Tell whether a text is a few words that nothing holds together.

    >>> is_heap("theorem, proof, lemma, asymptotic"), is_heap("Prove the lemma for all n")
    (True, False)
    """
    text = text.strip().rstrip(".").lower()
    if len(text) > _HEAP_CHARS:
        return False
    words = text.replace(",", " ").split()
    if len(words) not in _HEAP_WORDS or not _JOINTS.isdisjoint(words):
        return False
    return all(map(_BARE_WORD.fullmatch, words))


def pasted_turns(text: str) -> list[tuple[bool, str]]:
    """Return (said by the user, what) for each turn, where one message holds a whole conversation.

    >>> pasted_turns("User: hi\\nAssistant: Hello!\\nUser: Prove it.")
    [(True, 'hi'), (False, 'Hello!'), (True, 'Prove it.')]
    """
    if ":" not in text or _ANSWER.search(f"\n{text}") is None:
        return []
    found = list(_TURN.finditer(text))
    turns = [(True, text[: found[0].start()].strip())]
    for turn, after in zip(found, [*found[1:], None], strict=True):
        said = text[turn.end() : after.start() if after else len(text)].strip()
        turns.append((turn.group(1).lower() not in _ANSWERS, said))
    return [turn for turn in turns if turn[1]]
