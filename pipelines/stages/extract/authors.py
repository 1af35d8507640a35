"""The authors of a page, from its declarations and its byline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from corpusmill.pipelines.stages.extract.declared import Declared, marks_of
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData, kinds, text_of
from corpusmill.pipelines.stages.extract.titles import key
from corpusmill.schemas.dates import MONTHS
from corpusmill.schemas.decoding.references import unescaped

_NAME_CHARS: Final = 80
_NAME_WORDS: Final = 7
_BYLINE_CHARS: Final = 160
_SHORT_CHARS: Final = 40
_INLINE: Final = frozenset(("a", "span", "address", "cite"))
_MAX_AUTHORS: Final = 50
METAS: Final = (
    "citation_author",
    "citation_authors",
    "author",
    "article:author",
    "og:article:author",
    "parsely-author",
    "sailthru.author",
    "dc.creator",
    "dcterms.creator",
    "dc.creator.personalname",
    "byl",
    "article:author_name",
)
_WHOLE: Final = frozenset(("citation_author", "dc.creator", "dcterms.creator", "dc.creator.personalname"))
"""Metadata names with one author per value, often with the family name before a comma."""
_BY: Final = re.compile(
    r"(?:(?:(?:article )?written|(?:re)?post(?:ed)?|published|created|submitted|authored|review(?:ed)?|words|text|story"
    r"|article|photos and story)\s)?by(?:\b|(?=(?-i:[A-Z])))\s*:?\s*"
    r"|(?:authors?|writers?|von|par|por|di|door|av|af|od|autor(?:in|ka)?|автор|text)\b\s*:?\s*"
    r"|(?:作者|[記记]者|文)\s*[:：]?\s*",
    re.IGNORECASE,
)
_AFTER: Final = re.compile(
    r"\s*(?:[|·•⋅→(\[<»]|\s[-–—]\s|\b(?:Published|Updated|Posted|Last|Photo|Follow|Share|Read|View|Reviewed|Fact|Medically|Edited|Est|More"
    r"|Senior|Staff|Head|Chief|Editor|Reporter|Writer|Director|Correspondent|Redakt\w+|Journalist\w*|Contribut\w+|Associate|Deputy|Co-?Founder|Founder"
    r"|CEO|Member|Moderator|Administrator|is an?|was|has)\b"
    r"|\b(?:on|at|am|in|for|from|via|le|el)\s|\s\d).*$",
    re.DOTALL,
)
"""Text that can follow the names in a byline: a date, a role, an invitation."""
_AND: Final = re.compile(
    r"\s*[;、，]\s*|,\s+(?:and|und)\s+|\s+(?:and|und|et|og|och|en|и|та|és)\s+|\s*&\s+|\s+/\s+|\s+[|]\s+.*$"
)
_ROLE: Final = re.compile(
    r"^\s*(?:[A-Z]{2,5}|(?:[A-Z][a-z]?\.){2,})\s*$|(?i:\b(?:writer|editor|reporter|correspondent|director|manager|officer|chief|ceo|cto|founder|staff"
    r"|journalist|redakteur\w*|redaktion|author|blogger|contributor|producer|analyst|professor|specialist|head|senior|president"
    r"|expert|engineer|consultant|coach|scientist|university|institute|inc|llc|ltd|news|team|md|m\.d|phd|ph\.d|mba)\b)"
)
_DEGREES: Final = re.compile(r"(?:[\s,]+(?:RN|BSN|MD|M\.D\.|PhD|Ph\.D\.?|MPH|MBA|RD|CPA|DVM|DDS|LCSW))+$")
_NO_NAME: Final = re.compile(r"https?:|www\.|[@{}<>=:/。？！■]|^\W*$|^\d|[\u4e00-\u9fff]{13}")
_NOBODY: Final = frozenset(
    (
        "admin",
        "administrator",
        "author",
        "topic author",
        "authors",
        "by",
        "null",
        "undefined",
        "none",
        "unknown",
        "default",
        "webmaster",
        "user",
        "editor",
        "more",
        "guest",
    )
)
_ELSEWHERE: Final = re.compile(
    r"comment|reply|review|testimonial|related|avatar|image|photo|bio\b|share|social|follow|desc|about|caption|card|promo|teaser|widget|date|time"
)
_HOST: Final = re.compile(r"^\S+\.[a-z]{2,4}$", re.IGNORECASE)


def authors_of(
    page: Declared, linked: LinkedData, site: frozenset[str], *, is_front: bool
) -> Found[tuple[str, ...]] | None:
    """Return the authors from the first source that names a person.

    The site itself is used only if no one else is named.

    Args:
        site: Keys of the site's names, see `titles.site_names`.
        is_front: Whether the page is a front page, whose bylines belong to other pages.
    """
    fallback: Found[tuple[str, ...]] | None = None
    for names, source in _candidates(page, linked, is_front):
        if people := _distinct(name for name in names if not _is_site(name, site)):
            return Found(people, source)
        if names and fallback is None:
            fallback = Found(_distinct(names), source)
    return fallback


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, in its first spelling.

    >>> _distinct(["Ann Bo", "Cy Dee", "ANN BO"])
    ('Ann Bo', 'Cy Dee')
    """
    distinct: dict[str, str] = {}
    for name in names:
        distinct.setdefault(key(name) or name, name)
    return tuple(distinct.values())[:_MAX_AUTHORS]


def _is_site(name: str, site: frozenset[str]) -> bool:
    return key(name) in site or _HOST.match(name) is not None


def _candidates(page: Declared, linked: LinkedData, is_front: bool) -> Iterator[tuple[list[str], str]]:
    people, others = _linked_names(linked)
    yield people, "json-ld:author"
    for name in METAS:
        if values := page.metas.get(name):
            yield [person for value in values for person in names_in(value, is_whole=name in _WHOLE)], f"meta:{name}"
    if not is_front:
        yield _texts(page.microdata.get("author", ())[:1]), "microdata:author"
        yield _texts(page.credits[:1]), "html:rel-author"
        yield _byline(page), "html:byline"
    yield others, "json-ld:author"


def _texts(values: Iterable[str]) -> list[str]:
    return [name for value in values for name in names_in(value, is_byline=True)]


def _linked_names(linked: LinkedData) -> tuple[list[str], list[str]]:
    """Return the people and the organizations among the authors of the first object that names any."""
    for thing in linked.works[:_MAX_AUTHORS]:
        people: list[str] = []
        others: list[str] = []
        for name in ("author", "creator"):
            for value in _values(thing.get(name)):
                author = linked.whole(value)
                is_other = isinstance(author, dict) and any(kind.endswith("organization") for kind in kinds(author))
                (others if is_other else people).extend(_linked_name(author))
            if people or others:
                return people, others
    return [], []


def _values(value: Any) -> list[Any]:
    return value[:_MAX_AUTHORS] if isinstance(value, list) else [value]


def _linked_name(author: Any) -> list[str]:
    names = author.get("name") if isinstance(author, dict) else author
    return [person for name in _values(names) for person in names_in(unescaped(text_of(name)))]


def _byline(page: Declared) -> list[str]:
    """Return the names in the element that looks most like a byline; the first one if several are equal."""
    best: tuple[int, list[str]] = (0, [])
    for _, (tag, attributes, text) in page.marked:
        if len(text) > _BYLINE_CHARS:
            continue
        marks = marks_of(attributes)
        if not ("author" in marks or "byline" in marks) or _ELSEWHERE.search(marks):
            continue
        score = 1 + (_BY.match(text) is not None) + (tag in _INLINE) + (len(text) < _SHORT_CHARS)
        if score > best[0] and (names := names_in(text, is_byline=True)):
            best = score, names
    return best[1]


def names_in(text: str, *, is_whole: bool = False, is_byline: bool = False) -> list[str]:
    """Return the names of people in *text*, without surrounding words.

    Args:
        is_whole: The text is a single name, so a comma separates family name and given name.
        is_byline: The text is written for readers, so a date, a role or a place can follow.

    >>> names_in("By Anna Berg and Jo Day, Staff Writer")
    ['Anna Berg', 'Jo Day']
    """
    text = " ".join(unescaped(text[:1_000]).split()).lstrip("-–—·•|,: ")
    if match := _BY.match(text):
        text = text[match.end() :]
    if is_byline and (match := _AFTER.search(text)):
        is_date = match.group().lstrip()[:1].isdigit()
        text = _without_month(text[: match.start()]) if is_date else text[: match.start()]
    if is_whole:
        return [text] if _is_name(text) else []
    names: list[str] = []
    for part in _AND.split(text):
        for piece in part.split(","):
            if names and _ROLE.search(piece):
                break
            name = _DEGREES.sub("", piece.strip(" .-–—·•|:*\"'"))
            if _is_name(name):
                names.append(name)
    return names


def _without_month(text: str) -> str:
    """Return *text* without the name of a month at its end, which remains after the rest of a date was removed."""
    rest, _, last = text.rpartition(" ")
    return rest if last.strip(".").casefold() in MONTHS else text


def _is_name(text: str) -> bool:
    return (
        1 < len(text) <= _NAME_CHARS
        and text.count(" ") < _NAME_WORDS
        and text.casefold() not in _NOBODY
        and not _NO_NAME.search(text)
    )
