"""Licenses that a sentence names, as in the permissions of papers."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.licenses import spdx

_WORDS: Final = re.compile(
    r"creative commons attribution((?:[ -](?:non-?commercial|share-?alike|no-?deriv(?:ative)?s?(?: works)?))*)"
    r"(?:[ ,]*(?:\(cc[ -]by[^)]{0,12}\)))?[ ,]*(\d\.\d)?[^.]{0,30}?licen[cs]e",
    re.IGNORECASE,
)
_SHORT: Final = re.compile(r"\bCC[ -]?(BY(?:[ -](?:NC|SA|ND))*)\b[ -]*(?:v\.? ?)?(\d\.\d)?", re.IGNORECASE)
_KINDS: Final = (("noncommercial", "NC"), ("noderiv", "ND"), ("sharealike", "SA"))


def license_in_words(text: str) -> str | None:
    """Return the license that a sentence names; one without a version is a `LicenseRef-`.

    >>> license_in_words("under the terms of the Creative Commons Attribution License, which permits")
    'LicenseRef-CC-BY'
    >>> license_in_words("the Creative Commons Attribution-NonCommercial 4.0 International License")
    'CC-BY-NC-4.0'
    """
    match = _WORDS.search(text)
    if match is None:
        if re.search(r"\bCC0\b|creative commons (?:CC0|zero)", text, re.IGNORECASE):
            return "CC0-1.0"
        if short := _SHORT.search(text):
            return (
                spdx(f"CC-{short[1].replace(' ', '-')}-{short[2]}")
                if short[2]
                else f"LicenseRef-CC-{short[1].upper().replace(' ', '-')}"
            )
        return "LicenseRef-Public-Domain" if "in the public domain" in text.lower() else None
    conditions = match[1].lower().replace("-", "").replace(" ", "")
    kind = "-".join(["CC-BY", *(name for word, name in _KINDS if word in conditions)])
    return spdx(f"{kind}-{match[2]}") if match[2] else f"LicenseRef-{kind}"
