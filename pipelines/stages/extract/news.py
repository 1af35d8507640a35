"""What a page of news states about itself: its section, and whether it can be read for free."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from corpusmill.pipelines.stages.extract.declared import Declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData, text_of
from corpusmill.pipelines.stages.extract.references import unescaped

METAS: Final = ("article:section", "og:article:section", "article:content_tier")
_SECTIONS: Final = ("article:section", "og:article:section")
_TIERS: Final = {"free": "true", "metered": "false", "locked": "false"}
_TRUTH: Final = {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}
_SECTION_CHARS: Final = 200


def section_of(page: Declared, linked: LinkedData) -> Found[str] | None:
    """Return the first section that the page names, such as Politics."""
    for text, source in _sections(page, linked):
        if section := " ".join(text.split())[:_SECTION_CHARS].strip():
            return Found(section, source)
    return None


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
