"""A light guess at the language of a text: by its script, and in Latin letters by the commonest words."""

from __future__ import annotations

import re

# Read from the start; a guess needs no more.
_CHARS = 2_000
# Fewer common words than this say nothing.
_LEAST_WORDS = 2

# ISO 639-1 codes; a script that several languages share stands for the one most written in it.
_SCRIPTS = (
    ("ja", "\u3040-\u30ff"), ("ko", "\uac00-\ud7af\u1100-\u11ff"), ("zh", "\u4e00-\u9fff\u3400-\u4dbf"),
    ("ru", "\u0400-\u04ff"), ("el", "\u0370-\u03ff"), ("he", "\u0590-\u05ff"), ("ar", "\u0600-\u06ff"),
    ("hi", "\u0900-\u097f"), ("th", "\u0e00-\u0e7f"),
)  # fmt: skip
_OF_SCRIPT = tuple((code, re.compile(f"[{letters}]")) for code, letters in _SCRIPTS)

_COMMON = {
    code: frozenset(words.split())
    for code, words in {
        "en": "the and of to is in that it for you with are this what how not can be",
        "de": "der die das und ist nicht ein eine zu den mit von für auf wie ich es im",
        "fr": "le la les et est un une des que pour dans qui pas vous je sur du ce",
        "es": "el los las y es un una de que por en para con como no se del qué",
        "it": "il gli e è un una di che per non con sono della come mi si lo del",
        "pt": "o os as e é um uma de que para não com como em do da no você",
        "nl": "de het en is een van niet dat ik op te met voor zijn hoe wat je in",
        "pl": "i w nie na jest się z do to że jak co czy po za od ale dla",
        "sv": "och det är en ett som på för inte jag med av till hur vad den att om",
    }.items()
}

LANGUAGES = tuple(sorted([*_COMMON, *(code for code, _ in _SCRIPTS)]))


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of the likeliest language that is known here, or None.

    >>> language_of("Wie ist das Wetter?"), language_of("今日の天気は?"), language_of("print(x)")
    ('de', 'ja', None)
    """
    head = text[:_CHARS].lower()
    if not head.isascii():
        letters = sum(map(str.isalpha, head))
        for code, script in _OF_SCRIPT:
            # kana settles it: Japanese is mostly ideographs as well
            if 10 * len(script.findall(head)) >= (1 if code == "ja" else 3) * max(letters, 1):
                return code
    words = re.findall(r"\w+", head)
    found = {code: sum(word in common for word in words) for code, common in _COMMON.items()}
    best = max(found, key=lambda code: found[code])
    return best if found[best] >= _LEAST_WORDS else None
