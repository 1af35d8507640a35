"""Selectors that a user wrote for a site, applied before anything is judged."""

from __future__ import annotations

from bs4 import BeautifulSoup, Tag
from selectolax.lexbor import LexborHTMLParser

from pipelines.stages.extract.options import Selectors


def selected(parser: LexborHTMLParser, selectors: Selectors) -> tuple[LexborHTMLParser, bool]:
    """Give the page without what `drop` matches, and only what `select` matches when it matches anything.

    Beautiful Soup reads the markup as the parser understood it, so both have one tree in mind.

    Returns:
        The page parsed again, and whether `select` matched.
    """
    soup = BeautifulSoup(parser.html or "", "html.parser")
    for selector in selectors.drop:
        for element in soup.select(selector):
            element.extract()
    wanted = _outermost(soup, selectors.select)
    if not wanted:
        return LexborHTMLParser(str(soup)), False
    body = "".join(str(element) for element in wanted)
    return LexborHTMLParser(f"<!DOCTYPE html><html><body>{body}</body></html>"), True


def _outermost(soup: BeautifulSoup, selectors: tuple[str, ...]) -> list[Tag]:
    """Give the elements that match any of *selectors*, in document order, without those inside another."""
    if not selectors:
        return []
    found: list[Tag] = []
    inside: set[int] = set()
    for element in soup.select(", ".join(selectors)):
        if element.parent is not None and any(id(above) in inside for above in element.parents):
            continue
        inside.add(id(element))
        found.append(element)
    return found
