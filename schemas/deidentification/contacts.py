"""Telephone and fax numbers, e-mail, web and IP addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from corpusmill.schemas.deidentification.patterns import compiled, matches_at, word_starts
from corpusmill.schemas.deidentification.spans import Span
from corpusmill.schemas.personal_data.email import EMAIL
from corpusmill.schemas.personal_data.numbering import is_numbering

_URL: Final = compiled(
    r"\b(?:https?|ftps?|sftp)://[^\s<>\"']+|\bwww\.[^\s<>\"']+"
    r"|(?<![\w@.-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,4}(?:com|org|net|edu|gov|mil|info|health|io|co\.uk"
    r"|co)\b(?!@)(?:/[^\s<>\"']*)?",
    re.IGNORECASE,
)
_URL_LIKE: Final = compiled(r"[:.](?://|(?<=www\.)|(?:com|org|net|edu|gov|mil|info|health|io|co)\b)", re.IGNORECASE)
_IP: Final = compiled(r"(?=\d)(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IP_6_LIKE: Final = compiled(r":[0-9A-Fa-f]{0,4}:")
_IP_6: Final = compiled(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4})(?![\w:])"
    r"|(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){1,6}:(?:[0-9A-Fa-f]{1,4})?(?![\w:])"
)
_EXTENSION: Final = r"(?:\s*,?\s*(?:x|ext\.?|extension)\s*\d{1,6})?"
_PHONE: Final = compiled(
    rf"(?=[\d(+])(?:(?<![\w.+-])(?:\+?1[-. ]?)?(?:\(\d{{3}}\)[-. ]?"
    rf"|\d{{3}}[-.])\d{{3}}[-. ]\d{{4}}{_EXTENSION}(?![\w-]|\.\d)"
    rf"|(?<![\w.+/-])(?:1[-/. ])?\d{{3}}/\d{{3}}[-./ ]\d{{4}}{_EXTENSION}(?![\w-]|\.\d)"
    rf"|(?<![\w.+-])(?:011|00)[ -]\d{{1,3}}(?:[ -]\d{{2,5}}){{2,4}}{_EXTENSION}(?![\w-]|\.\d)"
    rf"|(?<![\w.])\+\d{{1,3}}[-. ]?(?:\(?\d{{1,5}}\)?[-. ]?){{1,5}}\d{{2,4}}{_EXTENSION}(?![\w-]|\.\d))"
)
_DIGIT: Final = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"
_SPOKEN: Final = compiled(rf"\b{_DIGIT}(?:[ ,.-]{{1,3}}{_DIGIT}){{6,14}}\b", re.IGNORECASE)
"""A telephone number in words: seven digits or more."""
_BROKEN_EMAIL: Final = compiled(
    r"(?<![\w.+@-])[\w.+-]{1,64}(?:\n[ \t]*@|@[ \t]*\n[ \t]*"
    r"|@(?=[\w-]{1,32}\.\n))[\w-]{1,63}(?:\.\n?[A-Za-z][\w-]{1,63}){1,4}(?!\w)"
)
_SPELLED_EMAIL: Final = compiled(
    r"(?<![\w.+@-])[\w.+-]{1,64}[ ]?(?:\[at\]|\(at\)|\{at\}|[ ]?at[ ](?=[\w-]{1,63}[ ]dot[ ]))[ ]?[\w-]{1,63}"
    r"(?:(?:\.|[ ]?(?:\[dot\]|\(dot\)|\{dot\}|dot[ ])[ ]?)[A-Za-z][\w-]{1,62}){1,3}(?!\w)",
    re.IGNORECASE,
)
_URL_REST: Final = compiled(r"\n[ \t]*(?P<rest>/[\w./?=&%-]+|[\w./?=&%-]*[\d/][\w./?=&%-]*)(?=[\s,;.)]|\Z)")
_CUED: Final = compiled(
    r"\b(?P<strong>phone|tel|telephone|cell|cellular|mobile|pager|beeper|fax|facsimile|voicemail|ext|extension"
    r"|ph|home|work"
    r"|contact(?: number)?|hotline|whatsapp|text(?:ed)?)\b\.?(?:\s*(?:number|no\.?|#|is|at|on|phone|to"
    r"|\([a-z]\))){0,3}\s*[:#]?\s*"
    r"(?P<a>\+?\(?\d[\d ().-]{1,18}\d)"
    r"|\b(?:call(?:ed|s|ing)?|reach(?:ed|able)?|dial(?:ed)?|page[d]?|contact(?:ed)?|callback)\b[^\d\n.;]{0,40}?"
    r"(?P<b>\+?\(?\d[\d().-]{0,4}[ ]?[\d().-]{2,6}[ -]?\d{2,4})",
    re.IGNORECASE,
)
_CUE_WORDS: Final = frozenset(
    "phone tel telephone cell cellular mobile pager beeper fax facsimile voicemail ext extension ph home work contact"
    " hotline whatsapp text texted call called calls calling reach reached reachable dial dialed page paged contacted"
    " callback".split()
)
_DIGIT_WORDS: Final = frozenset("zero oh one two three four five six seven eight nine".split())
_FAX: Final = compiled(r"\b(?:fax|facsimile)\b[^\n]{0,24}\Z", re.IGNORECASE)
_VOICE: Final = compiled(r"\b(?:phone|tel|cell|mobile|call)\w*\b[^\n]{0,24}\Z", re.IGNORECASE)
_DATE: Final = compiled(
    r"(?:19|20)\d\d([-. ])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([-. ])(?:0?[1-9]|[12]\d|3[01])\2(?:19|20)\d\d"
)
"""What is a date although a word for telephones precedes it: "went home on 2020-03-13"."""
_MIN_DIGITS: Final = {"ext": 2, "extension": 2, "pager": 3, "beeper": 3}


def contact_spans(text: str) -> Iterator[Span]:
    """Yield the web, e-mail and IP addresses and the telephone and fax numbers of *text*; some more than once.

    >>> text = "Fax (555) 234-5678, call 555-8211"
    >>> sorted({(span.kind, text[span.start : span.end]) for span in contact_spans(text)})
    [('fax', '(555) 234-5678'), ('phone', '555-8211')]
    """
    if "@" in text:
        yield from (Span(*match.span(), "email") for match in EMAIL.pattern.finditer(text))
        yield from (Span(*match.span(), "email") for match in _BROKEN_EMAIL.finditer(text))
    words = word_starts(text)
    if "at" in words and ("dot" in words or "[at]" in text or "(at)" in text or "{at}" in text):
        yield from (Span(*match.span(), "email") for match in _SPELLED_EMAIL.finditer(text))
    if _URL_LIKE.search(text):
        for match in _URL.finditer(text):
            end = match.start() + len(match[0].rstrip(".,;:)]}'"))
            rest = _URL_REST.match(text, end) if "//" in match[0] else None
            if rest is not None and (rest["rest"].startswith("/") or text[end - 1] in "/=?&-_"):
                end = rest.end() - (rest["rest"][-1] == ".")
            yield Span(match.start(), end, "url")
    addresses = [*_IP.finditer(text)]
    if _IP_6_LIKE.search(text):
        addresses += _IP_6.finditer(text)
    yield from (Span(*match.span(), "ip") for match in addresses if _is_address(match))
    yield from _phones(text)


def _is_address(match: re.Match[str]) -> bool:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    return address.version == 6 or not is_numbering(match.string, match.start(), match.end())


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        yield Span(*match.span(), _fax_or_phone(text, match.start()))
    words = word_starts(text)
    if len(words.keys() & _DIGIT_WORDS) > 1:
        yield from (Span(*match.span(), _fax_or_phone(text, match.start())) for match in _SPOKEN.finditer(text))
    for match in matches_at(_CUED, text, _CUE_WORDS):
        group = "a" if match["a"] is not None else "b"
        cue = (match["strong"] or "").casefold()
        value = match[group].rstrip(" .-(")
        digits = sum(map(str.isdigit, value))
        needed = _MIN_DIGITS.get(cue, 7)
        if digits >= needed and digits <= 15 and not _DATE.fullmatch(value):
            start = match.start(group)
            yield Span(start, start + len(value), _fax_or_phone(text, start))


def _fax_or_phone(text: str, start: int) -> str:
    """Return the kind of the number at *start*: the word nearest before it decides."""
    before = text[max(0, start - 40) : start]
    fax, voice = _FAX.search(before), _VOICE.search(before)
    return "fax" if fax and not (voice and voice.start() > fax.start()) else "phone"
