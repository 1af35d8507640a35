"""The title of a page, without the name of its site."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from corpusmill.pipelines.stages.extract.declared import Declared
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.linked_data import LinkedData
from corpusmill.schemas.decoding.references import unescaped

_TITLE_CHARS: Final = 500
_SEPARATOR: Final = re.compile(r"\s+[-|–—―·•»«:~/\\]+\s+|\s*[|｜»]\s*|(?<=[^\W\d])_(?=[^\W\d])")
_HAS_SEPARATOR: Final = re.compile(r"\s[-–—―·•«:~/\\]|[|｜»_]")
"""A cheaper pattern that matches wherever `_SEPARATOR` does."""
_MIN_SENTENCE: Final = 8
"""Number of words from which a single heading is the page's title, whatever the page states; shorter ones name
sections."""
_MAX_SENTENCE: Final = 30
_MAX_PARTS: Final = 8
_MAX_TIMES: Final = 2.5
"""How many times longer than a heading a title that begins or ends with it may be."""
_MIN_PIECE: Final = 4
_MAX_NAME_WORDS: Final = 4
_HOST: Final = re.compile(r"https?://(?:[^/@?#]*@)?(?:www\.)?([^/?#:]+)", re.IGNORECASE)
_LETTERS: Final = re.compile(r"[^\W_]+")
METAS: Final = (
    "og:title",
    "twitter:title",
    "citation_title",
    "dc.title",
    "dcterms.title",
    "parsely-title",
    "sailthru.title",
)


def title_of(page: Declared, linked: LinkedData, names: frozenset[str]) -> Found[str] | None:
    """Return the title of the page.

    The title for other sites (`og:title`) may differ from what readers see, so a first-level heading that matches it is
    preferred.

    Args:
        names: Keys of the site's names, see `site_names`.
    """
    headings = {name: heading for heading in page.headings if (name := key(heading)) and name not in names}
    for value, source in _stated(page, linked):
        title = without_site(value, names, headings)
        if not (name := key(title)) or name in names:
            continue
        heading = headings.get(name) or _better(headings, title, name)
        return Found(heading[:_TITLE_CHARS], "html:h1") if heading else Found(title[:_TITLE_CHARS], source)
    for heading in headings.values():
        return Found(heading[:_TITLE_CHARS], "html:h1")
    return Found(page.title[:_TITLE_CHARS], "html:title") if page.title else None


def _better(headings: dict[str, str], title: str, name: str) -> str | None:
    """Return the first heading that matches *title*, or the page's only heading if it is a sentence."""
    for other, heading in headings.items():
        if _is_better(other, name, heading, title):
            return heading
    for heading in headings.values() if len(headings) == 1 else ():
        if _MIN_SENTENCE <= len(heading.split()) <= _MAX_SENTENCE and _have_common_word(heading, title):
            return heading
    return None


def _have_common_word(one: str, other: str) -> bool:
    words = set(_LETTERS.findall(one.casefold())) & set(_LETTERS.findall(other.casefold()))
    return any(len(word) >= _MIN_PIECE for word in words)


def _is_better(one: str, other: str, heading: str, title: str) -> bool:
    """Return whether *heading* matches *title*, and is not a title with a section before it or text after it.

    Args:
        one: Key of *heading*; *other* is that of *title*.
    """
    if one in other:
        return len(one) * _MAX_TIMES >= len(other)
    if other in one:
        return one.startswith(other) and len(heading.split()) <= _MAX_SENTENCE
    return _is_like(heading, title)


def _stated(page: Declared, linked: LinkedData) -> Iterator[tuple[str, str]]:
    for name in METAS:
        if value := page.meta(name):
            yield unescaped(value), f"meta:{name}"
    for value in linked.texts("headline"):
        yield unescaped(value), "json-ld:headline"
    if page.title:
        yield page.title, "html:title"


def key(text: str) -> str:
    """Return the letters and digits of *text* in lower case, without separators.

    >>> key("The Daily News!")
    'thedailynews'
    """
    return "".join(filter(str.isalnum, text[:_TITLE_CHARS].casefold()))


def site_names(site: str, url: str) -> frozenset[str]:
    """Return the keys under which a page can name its site: its name, with and without an article, and its host."""
    match = _HOST.match(url)
    labels = match.group(1).lower().replace("-", "").split(".") if match else [""]
    name = key(site)
    known = {name, name.removeprefix("the"), "".join(labels), labels[0], "".join(labels[:-1]), *labels[-2:-1]}
    return frozenset(name for name in known if len(name) > 1)


def without_site(text: str, names: frozenset[str], headings: Collection[str]) -> str:
    """Return *text* without the parts before or after a separator that name the site.

    A part is removed if it is one of *names*, or if the rest is a heading of the page.

    Args:
        names: Keys of the site's names, see `site_names`.
        headings: Keys of the headings.

    >>> without_site("Storm closes harbour | Coast Daily", frozenset({"coastdaily"}), [])
    'Storm closes harbour'
    """
    text = text[:_TITLE_CHARS]
    separators = list(_SEPARATOR.finditer(text)) if _HAS_SEPARATOR.search(text) else []
    if not separators or len(separators) > _MAX_PARTS:
        return text
    for separator in separators:
        if key(text[: separator.start()]) in headings:
            return text[: separator.start()]
    last = separators[-1]
    if _names_site(text[last.end() :], names):
        return without_site(text[: last.start()], names, headings)
    first = separators[0]
    if _names_site(text[: first.start()], names):
        return without_site(text[first.end() :], names, headings)
    return text


def _names_site(part: str, names: frozenset[str]) -> bool:
    """Return whether *part* is a name of the site, a piece of one, or a few words that include one."""
    name = key(part)
    if name in names or name.removeprefix("the") in names:
        return True
    if len(name) >= _MIN_PIECE and any(name in known for known in names):
        return True
    words = _LETTERS.findall(part.casefold())
    return len(words) <= _MAX_NAME_WORDS and any(len(word) > 2 and word in names for word in words)


def _is_like(one: str, other: str) -> bool:
    """Return whether most words of the shorter text are in the other one."""
    left, right = set(_LETTERS.findall(one.casefold())), set(_LETTERS.findall(other.casefold()))
    return len(left & right) * 2 > max(len(left), len(right))
