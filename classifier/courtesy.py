"""Greetings and thanks around a request: being polite says nothing of the work that is asked for.

Only whole phrases at the very start and end go, and never all of a text: "thanks!" alone stays a request.
"""

from __future__ import annotations

import re

_NAME = r"(?:[ ,]+(?:there|all|team|everyone|again|assistant|friend|folks|sir|madam|[A-Z][a-zé]{1,14}))?"
_GREETINGS = (
    r"hi|hiya|hello|hey|yo|good (?:morning|afternoon|evening|day)|greetings|dear"
    r"|hallo|guten (?:morgen|tag|abend)|moin|servus|bonjour|bonsoir|salut"
    r"|hola|buen[oa]s(?: d[ií]as| tardes| noches)?"
    r"|ciao|buongiorno|salve|ol[áa]|oi|bom dia|boa tarde|cze[śs][ćc]|dzie[ńn] dobry"
    r"|merhaba|selam|hoi|goedemorgen|dag"
    r"|привет|здравствуйте|добрый день|こんにちは|你好|您好|안녕하세요|नमस्ते|مرحبا"
)
_OPENERS = (
    rf"(?:{_GREETINGS}){_NAME}\s*[,.!:;。！，،–—-]+",
    r"i hope (?:you are|you're|this finds you|all is|you have|you had)[^.!?\n]{0,40}[.!]",
    r"hope (?:you are|you're|this finds you|all is)[^.!?\n]{0,40}[.!]",
    r"(?:i'?m )?(?:so |very )?sorry to (?:bother|disturb|trouble) you(?: again)?[^.!?\n]{0,20}[.,!:]",
    r"(?:could|can|would|will) you (?:please |kindly |perhaps )?(?:help|assist) me"
    r"(?: out)?(?: here)?(?: (?:with|on) (?:this|the following|something|a question))?"
    r"(?:,? please)?\s*[?.:!]",
    r"please,?(?: if you don'?t mind| if you can| help)?\s*[:,]",
    r"(?:just )?(?:a )?quick (?:one|question)\s*[:,.–-]",
    r"i(?: would|'d) (?:be (?:so |very )?grateful for|really appreciate|appreciate)"
    r"(?: your| some| any)? help[^.:!\n]{0,20}[.:!]",
    r"(?:many )?(?:thanks|thx|thank you)(?: so much| very much| a lot)? in advance\s*[.!,:]",
)
_CLOSERS = (
    r"(?:many |big )?(?:thanks|thank you|thx|tia|cheers|ta)"
    r"(?: again| so much| very much| a lot| a million| in advance| for your help)*",
    r"(?:i )?(?:really |much |greatly )?appreciate (?:it|your help|the help|any help)",
    r"(?:best|kind|warm)(?: regards| wishes)?(?:,? [A-Z][a-z]{1,14})?|regards(?:,? [A-Z][a-z]{1,14})?",
    r"have a (?:nice|good|great|lovely) (?:day|evening|weekend|one)",
    r"let me know|looking forward to your (?:answer|reply)",
    r"danke(?: sch[öo]n| dir| ihnen)?|vielen dank|(?:viele |sch[öo]ne )?gr[üu](?:ß|ss)e",
    r"merci(?: d'avance| beaucoup| bien)?|(?:muchas |mil )?gracias(?: de antemano)?|grazie(?: mille)?",
    r"(?:muito )?obrigad[oa]|dzi[ęe]kuj[ęe]|te[şs]ekk[üu]rler|(?:alvast )?bedankt|спасибо(?: большое)?",
    r"ありがとう(?:ございます)?|谢谢|多谢|감사합니다|धन्यवाद|شكرا",
    r"[🙏🙂😊👍❤️]+",
)
_OPENING = re.compile(rf"(?:{'|'.join(_OPENERS)})", re.IGNORECASE)
_CLOSING = re.compile(rf"(?<![^\s.!?,;。！？])(?:{'|'.join(_CLOSERS)})[\s.!,;:。！]*$", re.IGNORECASE)
_CLOSING_CHARS = 60
_PRAISE = re.compile(
    r"^(?:(?:ha|haha|ah|oh|ok|okay|yes|yep|perfect|great|super|cool|nice|awesome|wonderful|lovely|brilliant"
    r"|excellent|good|got it|understood|sounds good|that works|all good|that'?s (?:all|it|great|fine))"
    r"\b[\s,.!]*)+(?=\S)",
    re.IGNORECASE,
)
# Beginnings that every closing phrase has one of: looking for these first costs a tenth.
_HINTS = (
    *("tha", "thx", "tia", "cheers", "apprec", "regards", "wishes", "have a", "let me", "looking f"),
    *("dank", "grü", "gru", "merci", "gracias", "grazie", "obrigad", "dzi", "teşek", "tesek"),
    *("спасибо", "ありがとう", "谢", "감사", "धन्य", "شكر", *"🙏🙂😊👍❤️"),
)
_SHORT_HINT = re.compile(r"\bta\b")
_ROUNDS = 4
_LEAST_CHARS = 4


def without_courtesy(text: str) -> str:
    """Return the text without the greetings before and the thanks after it.

    >>> without_courtesy("Hi there, could you help me with this? Sort 3, 1, 2. Thank you so much!")
    'Sort 3, 1, 2.'
    >>> without_courtesy("Thanks!")
    'Thanks!'
    """
    kept = text.strip()
    for _ in range(_ROUNDS):
        found = _OPENING.match(kept)
        if found is None:
            break
        kept = kept[found.end() :].lstrip()
    for _ in range(_ROUNDS):
        if not _hints_at_closing(kept[-_CLOSING_CHARS:].lower()):
            break
        start = max(0, len(kept) - _CLOSING_CHARS)
        found = _CLOSING.search(kept, start)
        if found is None:
            break
        kept = kept[: found.start()].rstrip()
    return kept if len(kept.strip()) >= _LEAST_CHARS else text


def _hints_at_closing(end: str) -> bool:
    for hint in _HINTS:
        if hint in end:
            return True
    return "ta" in end and _SHORT_HINT.search(end) is not None


def is_courtesy(text: str) -> bool:
    """Tell whether a text is thanks, or that all is well, and nothing else.

    >>> is_courtesy("Thanks a lot!"), is_courtesy("Thanks, now prove it")
    (True, False)
    """
    if len(text) > _CLOSING_CHARS:
        return False
    return _CLOSING.fullmatch(_PRAISE.sub("", text.strip())) is not None


def evenly_spaced(text: str) -> str:
    """Return the text with single blanks within its lines, and none at their ends; indentation stays.

    >>> evenly_spaced("a  b \\n\\n\\n\\n  c")
    'a b\\n\\n  c'
    """
    if "\t" in text:
        text = _BLANKS.sub(" ", text)
    elif "  " in text:
        text = _SPACES.sub(" ", text)
    if " \n" in text:
        text = _LINE_ENDS.sub("\n", text)
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text


_BLANKS = re.compile(r"(?<=\S)[ \t]{2,}|(?<=\S)\t")
# The same without tabs: it begins with what is rare, which is found a hundred times as quickly.
_SPACES = re.compile(r"  (?<=\S  ) *")
_LINE_ENDS = re.compile(r"[ \t]+\n")
_EMPTY_LINES = re.compile(r"\n{3,}")
