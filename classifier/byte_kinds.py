"""Bytes of UTF-8 counted by kind and by script, in one pass: the cheapest look at a prompt's surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# ASCII by what it does, lead bytes by the script they open; `lead` is one per character.
_KINDS: dict[str, tuple[range | bytes, ...]] = {
    "letter": (range(0x41, 0x5B), range(0x61, 0x7B)),
    "capital": (range(0x41, 0x5B),),
    "digit": (range(0x30, 0x3A),),
    "space": (b" \t\n\r",),
    "sentence": (b".!?",),
    "comma": (b",;",),
    "bracket": (b"(){}[]<>",),
    "operator": (b"=+*/^%<>~|&\\_",),
    "quotation": (b"\"'`",),
    "question": (b"?",),
    "colon": (b":",),
    "latin_accent": (range(0xC3, 0xC6),),
    "greek": (range(0xCE, 0xD0),),
    "cyrillic": (range(0xD0, 0xD4),),
    "arabic": (range(0xD8, 0xDC),),
    "indic": (b"\xe0",),
    "symbol": (b"\xe2",),
    "kana": (b"\xe3",),
    "han": (range(0xE4, 0xEA),),
    "hangul": (range(0xEA, 0xEE),),
    "emoji": (b"\xf0",),
    "lead": (range(0x01, 0x80), range(0xC0, 0x100)),
}


def _table() -> npt.NDArray[np.float64]:
    table = np.zeros((256, len(_KINDS)))
    for column, spans in enumerate(_KINDS.values()):
        for span in spans:
            table[list(span), column] = 1.0
    return table


# Bytes that are of the same kinds are one sort; a table of the sorts is a tenth of one of all bytes.
_SORTS, _sort_of = np.unique(_table(), axis=0, return_inverse=True)
_SORT_OF = bytes(_sort_of.ravel().tolist())
PLACE = {name: place for place, name in enumerate(_KINDS)}


def count_kinds(text: str) -> list[float]:
    """Return how many bytes of each kind a text has, at the places that PLACE names.

    >>> count_kinds("Où?")[PLACE["lead"]], count_kinds("Où?")[PLACE["latin_accent"]]
    (3.0, 1.0)
    """
    sorts = np.frombuffer(text.encode("utf-8", "replace").translate(_SORT_OF), dtype=np.uint8)
    counts: list[float] = np.bincount(sorts, minlength=len(_SORTS)).dot(_SORTS).tolist()
    return counts
