"""The records of a page, grouped by role: metas, links, microdata, scripts, marked elements."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from corpusmill.pipelines.stages.extract.inline import PERMALINKS

Record: TypeAlias = tuple[str, dict[str, str], str]
"""Tag, attributes (names in lower case) and text (white space collapsed) of an element."""

_VALUE_CHARS: Final = 2_000
_NAME_CHARS: Final = 100
_MAX_VALUES: Final = 50
"""Maximum number of values per name; some papers have that many authors."""
_MAX_ELEMENTS: Final = 300
_MAX_HEADINGS: Final = 20
_MARKS_CHARS: Final = 500
_PROPERTIES: Final = frozenset(("author", "datepublished", "datecreated", "datemodified", "license"))
_DAYS: Final = frozenset(("datepublished", "datecreated", "datemodified"))
_OTHERS: Final = re.compile(r"comment|review|testimonial")
"""Names that mark readers' comments, whose authors and dates are not those of the page."""
_RSL: Final = "application/rsl+xml"
_PLAIN_META: Final = 2
"""Attributes of most metas: a name and the content."""


@dataclass(slots=True)
class Declared:
    """The declarations in the elements of a page, in page order.

    Args:
        root: Attributes of `<html>`.
        metas: Contents of `<meta>` by lower-case name or property.
        microdata: Values by lower-case `itemprop`.
        dated: The dates in `microdata`: record number, property, value.
        links: Addresses of `<a>` and `<link>` by lower-case relation.
        credits: Texts of `<a rel=author>`.
        headings: Texts of `<h1>`; `heading_numbers`: their record numbers.
        times: `<time>` elements with their record numbers. `marked`: other elements whose class or id suggests a byline
            or date, with their record numbers.
    """

    root: dict[str, str] = field(default_factory=dict)
    metas: dict[str, list[str]] = field(default_factory=dict)
    microdata: dict[str, list[str]] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    credits: list[str] = field(default_factory=list)
    title: str = ""
    headings: list[str] = field(default_factory=list)
    heading_numbers: list[int] = field(default_factory=list)
    dated: list[tuple[int, str, str]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    times: list[tuple[int, Record]] = field(default_factory=list)
    marked: list[tuple[int, Record]] = field(default_factory=list)

    def meta(self, name: str) -> str:
        """Return the first content of the meta *name*; empty if there is none."""
        return self.metas[name][0] if name in self.metas else ""


def declared(records: Iterable[Record], metas: frozenset[str]) -> Declared:
    """Group *records* by role. Never fails, and keeps a bounded number of each kind.

    Args:
        metas: Lower-case names of `<meta>` to keep; most pages have many irrelevant ones.
    """
    page = Declared()
    for number, (tag, attributes, text) in enumerate(records):
        if tag == "meta":
            name = (attributes.get("property") or attributes.get("name") or "").lower()
            if name in metas:
                _add(page.metas, name, attributes.get("content", ""))
            elif not name or len(attributes) != _PLAIN_META:
                _add_meta(page, number, attributes, metas)
        elif tag == "script":
            page.scripts.append(text)
        elif tag == "title":
            page.title = page.title or " ".join(text[:_VALUE_CHARS].split())
        elif tag == "html":
            page.root = page.root or attributes
        else:
            _add_element(page, number, (tag, attributes, text))
    return page


def marks_of(attributes: dict[str, str]) -> str:
    """Return class and id of an element in lower case, surrounded by blanks."""
    return f" {attributes.get('class', '')} {attributes.get('id', '')} "[:_MARKS_CHARS].lower()


def _add_meta(page: Declared, number: int, attributes: dict[str, str], metas: frozenset[str]) -> None:
    """Keep a meta that is a microdata property, or that has a known name (also besides an unknown property)."""
    for attribute in ("name", "http-equiv"):
        if (name := attributes.get(attribute, "").lower()) in metas:
            _add(page.metas, name, attributes.get("content", ""))
            break
    if "itemprop" in attributes:
        _add_property(page, number, attributes, attributes.get("content", ""))


def _add_element(page: Declared, number: int, record: Record) -> None:
    """Keep an element under each of its roles: heading, relation, property, time, or marked by its class."""
    tag, attributes, text = record
    if "rel" in attributes:
        _add_link(page, tag, attributes, text)
    if "itemprop" in attributes:
        value = attributes.get("content") or attributes.get("datetime") or text or attributes.get("href", "")
        if not _OTHERS.search(marks_of(attributes)):
            _add_property(page, number, attributes, value)
    if tag == "time":
        if len(page.times) < _MAX_ELEMENTS:
            page.times.append((number, record))
    elif tag == "h1":
        if len(page.headings) < _MAX_HEADINGS and (heading := _heading(text)):
            page.headings.append(heading)
            page.heading_numbers.append(number)
    elif text and ("class" in attributes or "id" in attributes) and len(page.marked) < _MAX_ELEMENTS:
        page.marked.append((number, record))


def _heading(text: str) -> str:
    """Return the text of a heading without its permalink sign.

    >>> _heading("Sizes  and weights¶")
    'Sizes and weights'
    """
    return " ".join(text[:_VALUE_CHARS].split()).rstrip(f"{PERMALINKS} ")


def _add_link(page: Declared, tag: str, attributes: dict[str, str], text: str) -> None:
    relations = attributes["rel"][:_NAME_CHARS].lower().split()
    for relation in relations:
        if relation == "license" and attributes.get("type", "").strip().lower() == _RSL:
            continue  # an offer to license, which loaders read as an opt-out
        if not (relation == "canonical" and tag == "a"):
            _add(page.links, relation, attributes.get("href", ""))
    if tag == "a" and "author" in relations and len(page.credits) < _MAX_VALUES:
        page.credits.append(text)


def _add_property(page: Declared, number: int, attributes: dict[str, str], value: str) -> None:
    for name in attributes["itemprop"][:_NAME_CHARS].lower().split():
        if name in _PROPERTIES:
            _add(page.microdata, name, value)
        if name in _DAYS and len(page.dated) < _MAX_VALUES:
            page.dated.append((number, name, " ".join(value[:_VALUE_CHARS].split())))


def _add(values: dict[str, list[str]], name: str, value: str) -> None:
    value = " ".join(value[:_VALUE_CHARS].split())
    if not value:
        return
    if name not in values:
        values[name] = [value]
    elif len(values[name]) < _MAX_VALUES:
        values[name].append(value)
