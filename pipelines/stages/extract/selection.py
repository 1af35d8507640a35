"""Apply a user's selectors to the markup before blocks are scored."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

from corpusmill.pipelines.stages.extract.options import Selectors
from corpusmill.schemas.decoding.references import TOO_LONG
from corpusmill.schemas.errors import DataError

MAX_TAGS: Final = 60_000
"""Maximum number of tags, at 15 µs each in Beautiful Soup; the largest of 2,884 evaluation pages has 50,000."""
MAX_SIGNS: Final = 200_000
"""Maximum number of tags (including end tags) and character references, each of which is a Python call."""
MAX_WORDS_OF_TAGS: Final = 100_000
"""Maximum number of words in tags above 2,000 characters: each may be an attribute, at 300 bytes and 1 µs."""
_LONG_TAG: Final = re.compile(r"<[a-zA-Z][^>]{2000,}")
MAX_CLIMB: Final = 6_000_000
"""Maximum sum of the depths of all elements, which a selector like ``div p`` may climb; a typical page has 50,000."""


class _Soup(BeautifulSoup):
    """A tree that raises on markup nested so deeply that a selector would take minutes."""

    climb = 0

    def pushTag(self, tag: Any) -> None:  # noqa: N802
        """Open an element."""
        super().pushTag(tag)
        self.climb += len(self.tagStack)
        if self.climb > MAX_CLIMB:
            raise DataError(f"elements nested too deeply for selectors: {len(self.tagStack)}", kind="too_complex")


def selected(markup: str, selectors: Selectors) -> tuple[str, bool]:
    """Return the page without the elements that match `drop`, and with only those that match `select`, if any.

    The head of the page is kept, because it contains metadata.

    Returns:
        The markup of the page, and whether `select` matched.

    Raises:
        DataError: The page has too many elements, or they are nested too deeply (`too_complex`).

    >>> selected("<p>One</p><p class=ad>Two</p>", Selectors(select=("p",), drop=(".ad",)))
    ('<html><body><p>One</p></body></html>', True)
    """
    if "<" not in markup:
        return markup, False
    soup = _parsed(markup)
    for selector in selectors.drop:
        for element in _outermost(soup, soup.select(selector)):
            element.extract()
    wanted = list(_outermost(soup, soup.select(", ".join(selectors.select)))) if selectors.select else []
    if not wanted:
        return str(soup), False
    return _page(soup, wanted), True


def _parsed(markup: str) -> BeautifulSoup:
    words = sum(len(tag.split()) for tag in _LONG_TAG.findall(markup))
    if words > MAX_WORDS_OF_TAGS:
        raise DataError(f"{words} words in long tags: too many attributes for selectors", kind="too_complex")
    markup = TOO_LONG.sub("\ufffd", markup)
    starts, ends, references = markup.count("<"), markup.count("</"), markup.count("&")
    if starts - ends > MAX_TAGS or starts + references > MAX_SIGNS:
        raise DataError(
            f"{starts - ends} elements and {references} character references: too many for selectors",
            kind="too_complex",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XHTML is parsed as HTML, as in a browser
        try:
            return _Soup(_complete(markup), "html.parser")
        except ParserRejectedMarkup:  # for example <![foo[, which is not an HTML declaration
            return _Soup(_complete(markup.replace("<![", "&lt;![")), "html.parser")


def _complete(markup: str) -> str:
    """Return *markup* without openings that are never closed, for which the parser would scan to the end of the page.

    Text after an unclosed comment is read as part of the page.
    """
    for beginning, end in (("<!--", "-->"), ("<![", "]>")):
        last = markup.rfind(end) + 1
        markup = markup[:last] + markup[last:].replace(beginning, "")
    last = markup.rfind(">") + 1
    return markup[:last] + markup[last:].replace("<", "&lt;")


def _outermost(soup: BeautifulSoup, matches: Sequence[Tag]) -> Iterator[Tag]:
    """Yield the *matches* that are not inside another match, in page order; linear in the elements of the page."""
    chosen = {id(element) for element in matches}
    taken: set[int] = set()  # descendants of yielded elements
    for element in soup.find_all(True) if chosen else ():
        if id(element.parent) in taken:
            taken.add(id(element))
        elif id(element) in chosen:
            taken.add(id(element))
            yield element


def _shown(element: Tag) -> Tag:
    """Return *element* without attributes that hide it, since the user selected it."""
    for name in ("hidden", "style", "popover"):
        element.attrs.pop(name, None)
    if element.name == "dialog":
        element.attrs["open"] = ""
    return element


def _page(soup: BeautifulSoup, wanted: Iterable[Tag]) -> str:
    """Return a page whose body is *wanted*, with the head and language of *soup*."""
    root = soup.find("html")
    language = root.get("lang") if isinstance(root, Tag) else None
    start = soup.new_tag("html", attrs={"lang": str(language)} if language else {})
    head = soup.find("head")
    body = soup.new_tag("body")
    for element in wanted:
        body.append(_shown(element.extract()))
    if isinstance(head, Tag):
        start.append(head.extract())
    start.append(body)
    return str(start)
