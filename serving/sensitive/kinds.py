"""The kinds of sensitive content, what each looks like, and what proves it where it has a checksum.

Every pattern is bounded, and starts only where no longer match could have begun, so that searching is linear
in the text. Numbers are proved by python-stdnum.
"""

from __future__ import annotations

import re
from re import Pattern

from stdnum import iban, luhn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

from serving.sensitive.screen import Proof, Shape


def _is_card(found: str) -> bool:
    digits = re.sub(r"\D", "", found)
    return bool(luhn.is_valid(digits)) and len(set(digits)) > 1


def _is_iban(found: str) -> bool:
    """Words that follow may have been taken in; the checksum proves how long it is."""
    letters = found.replace(" ", "")
    return any(iban.is_valid(letters[:length]) for length in range(15, min(len(letters), 34) + 1))


def _any(*modules: object) -> Proof:
    def proof(found: str) -> bool:
        return any(module.is_valid(found) for module in modules)  # type: ignore[attr-defined]

    return proof


def _words(*stems: str) -> Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(stems)})", re.IGNORECASE)


_KEYS = (
    r"sk-(?:[a-z]{2,8}-)?[A-Za-z0-9_-]{20}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[opusr]_[A-Za-z0-9]{36}"
    r"|github_pat_\w{22}|glpat-[\w-]{20}|xox[abeprs]-[A-Za-z0-9-]{10}|AIza[\w-]{35}|[rs]k_live_[A-Za-z0-9]{16}"
    r"|hf_[A-Za-z0-9]{30}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{22}\.[\w-]{20}"
    r"|eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10}"
)
_NAMES = (
    r"pass(?:word|wd|phrase)|secret|api[_ -]?key|private[_ -]?key"
    r"|(?:access|auth|bearer|client)[_ -]?(?:token|secret)"
)

SHAPES: dict[str, tuple[Shape, ...]] = {
    "secret": (
        Shape(re.compile(rf"(?<![\w-])(?:{_KEYS})")),
        Shape(re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")),
        Shape(
            re.compile(
                rf"(?:{_NAMES})[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?[^\s\"',;<>{{}}()]{{6}}", re.IGNORECASE
            )
        ),
    ),
    "card": (
        Shape(re.compile(r"(?<![\d.-])(?:3[0-9]|4|5[0-9]|6|2[2-7])\d?(?:[ -]?\d){11,17}(?!\d)"), _is_card),
    ),
    "iban": (Shape(re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}", re.IGNORECASE), _is_iban),),
    "national_id": (
        Shape(re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), _any(ssn)),
        Shape(re.compile(r"(?<!\w)\d{3} \d{3} \d{4}(?!\w)"), _any(nhs)),
        Shape(re.compile(r"(?<!\w)(?:\d{11}|\d{2} \d{3} \d{3} \d{3})(?!\w)"), _any(idnr, pesel)),
        Shape(re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)"), _any(cpf)),
        Shape(re.compile(r"(?<!\w)756\.\d{4}\.\d{4}\.\d{2}(?!\w)"), _any(ahv)),
        Shape(re.compile(r"(?<!\w)\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}(?!\w)"), _any(nn)),
        Shape(re.compile(r"(?<!\w)\d{4} \d{4} \d{4}(?! ?\w)"), _any(aadhaar)),
        Shape(re.compile(r"(?<!\w)[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\w)"), _any(nir)),
        Shape(re.compile(r"(?<!\w)[XYZ\d]\d{7}-?[A-Z](?!\w)"), _any(dni, nie)),
        Shape(re.compile(r"(?<!\w)\d{6}[-+A]\d{3}[\dA-Y](?!\w)"), _any(hetu, personnummer)),
        Shape(re.compile(r"(?<!\w)[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z](?!\w)"), _any(codicefiscale)),
        Shape(re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)")),
    ),
    "email": (
        Shape(re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}\.[^\W\d_]{2,24}")),
    ),
    "phone": (
        Shape(re.compile(r"(?<!\w)\+\d(?:[ ()./-]{0,2}\d){7,14}")),
        Shape(re.compile(r"(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)")),
        Shape(re.compile(r"(?<![\w.-])0\d{2,4}[ /-]\d{3}[ -]?\d{3,5}(?!\w)")),
    ),
    "health": (
        Shape(
            _words(
                *(
                    "diagnos",
                    "chemotherap",
                    "hiv\\b",
                    "aids\\b",
                    "cancer",
                    "tumou?r",
                    "diabet",
                    "insulin",
                    "epilep",
                ),
                *(
                    "schizophren",
                    "bipolar disorder",
                    "depressi(?:on|ve)\\b",
                    "pregnan",
                    "miscarriage",
                    "abortion",
                ),
                *(
                    "prescri(?:ption|bed)",
                    "blood (?:pressure|test|sugar)",
                    "biops",
                    "patient'?s? (?:record|histor)",
                ),
                *(
                    "medical (?:record|histor)",
                    "antidepressant",
                    "dialysis",
                    "hepatitis",
                    "psychotherap",
                    "krebs",
                ),
                *(
                    "schwanger",
                    "blutdruck",
                    "patient(?:en)?akte",
                    "rezeptpflicht",
                    "grossesse",
                    "ordonnance m",
                ),
                *("embaraz", "receta m", "c[aá]ncer", "ansiol", "gravidanza", "tumore"),
            )
        ),
    ),
}
