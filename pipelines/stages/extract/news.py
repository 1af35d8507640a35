"""What a page of news states about itself: its section, and whether it can be read for free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from corpusmill.pipelines.stages.extract.declared import Declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData, text_of
from corpusmill.schemas.decoding.references import unescaped

METAS: Final = ("article:section", "og:article:section", "article:content_tier")
_SECTIONS: Final = ("article:section", "og:article:section")
_TIERS: Final = {"free": "true", "metered": "false", "locked": "false"}
_TRUTH: Final = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}
_SECTION_CHARS: Final = 200
_BREAK: Final = re.compile(r"</?(?:p|br|div|li|h\d|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_UNWRITABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]+")
"""Characters that escapes of JSON can produce and a column of texts cannot store, or that mean nothing in a text."""
_WORD: Final = re.compile(r"\w+")
_MIN_SHARED: Final = 0.8
"""Share of a page's words that are in its article; the others are names of authors, dates and captions."""


def section_of(page: Declared, linked: LinkedData) -> Found[str] | None:
    """Return the first section that the page names, such as Politics."""
    for text, source in _sections(page, linked):
        if section := " ".join(text.split())[:_SECTION_CHARS].strip():
            return Found(section, source)
    return None


def article_body(linked: LinkedData) -> str:
    """Return the whole text of the article that the page describes, with empty lines between its paragraphs.

    Empty if there is none, if there are several, or if readers have to pay for it.
    """
    bodies = {body for thing in linked.works if isinstance(body := thing.get("articleBody"), str) and body.strip()}
    if len(bodies) != 1 or any(_truth(thing.get("isAccessibleForFree")) == "false" for thing in linked.works):
        return ""
    markup = _TAG.sub("", _BREAK.sub("\n", bodies.pop()))
    text = _UNWRITABLE.sub("", unescaped(markup))
    paragraphs = (" ".join(line.split()) for line in text.split("\n"))
    return "\n\n".join(filter(None, paragraphs))


def is_fuller(body: str, text: str) -> bool:
    """Return whether *body* is an article of which *text* shows a part: at most half of it, in nearly the same words.

    >>> is_fuller("One two three four five six seven.", "One two three"), is_fuller("One two three.", "Four")
    (True, False)
    """
    if len(text) > len(body) // 2:
        return False
    words, shown = set(_WORD.findall(body.lower())), set(_WORD.findall(text.lower()))
    return len(shown & words) >= _MIN_SHARED * len(shown)


def _sections(page: Declared, linked: LinkedData) -> Iterator[tuple[str, str]]:
    yield from ((unescaped(text), "json-ld:articleSection") for text in linked.texts("articleSection"))
    yield from ((unescaped(page.meta(name)), f"meta:{name}") for name in _SECTIONS)
    yield from ((text, "microdata:articleSection") for text in page.microdata.get("articlesection", [])[:1])


def access_of(page: Declared, linked: LinkedData) -> Found[str] | None:
    """Return ``true`` if the page can be read without payment, ``false`` if not; None if it does not say.

    https://schema.org/isAccessibleForFree is a boolean, and is often written as text or as an address. The tier of
    Open Graph counts if there is none.
    """
    for thing in linked.works:
        if (truth := _truth(thing.get("isAccessibleForFree"))) is not None:
            return Found(truth, "json-ld:isAccessibleForFree")
    if (tier := _TIERS.get(page.meta("article:content_tier").strip().lower())) is not None:
        return Found(tier, "meta:article:content_tier")
    return None


def _truth(value: Any) -> str | None:
    """Return *value* as ``true`` or ``false``; None if it is neither.

    >>> _truth(True), _truth("False"), _truth("http://schema.org/True"), _truth("perhaps")
    ('true', 'false', 'true', None)
    """
    text = str(value).lower() if isinstance(value, bool) else text_of(value).lower()
    return _TRUTH.get(text.rstrip("/").rpartition("/")[2])
