"""The records of a page, sorted by what they can say: metas, links, microdata, scripts, marked elements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Record: TypeAlias = tuple[str, dict[str, str], str]
"""Tag, attributes (names in lower case) and text (white space collapsed) of one element."""

_VALUE_CHARS: Final = 2_000
_NAME_CHARS: Final = 100
_MAX_VALUES: Final = 50
"""Values of one name; papers have that many authors."""
_MAX_ELEMENTS: Final = 300


@dataclass(slots=True)
class Declared:
    """What the elements of a page declare, in the order of the page.

    Args:
        root: Attributes of `<html>`.
        metas: Contents of `<meta>` by name or property, in lower case.
        microdata: Values by `itemprop`, in lower case.
        links: Address by relation in lower case, of `<a>` and `<link>`.
        credits: Texts of `<a rel=author>`.
        marked: Tag, class and id (lower case, with a space on either side), text of elements that can be a byline or
            a date.
        times: `datetime`, text, class and id of `<time>` elements.
    """

    root: dict[str, str] = field(default_factory=dict)
    metas: dict[str, list[str]] = field(default_factory=dict)
    microdata: dict[str, list[str]] = field(default_factory=dict)
    links: dict[str, list[str]] = field(default_factory=dict)
    credits: list[str] = field(default_factory=list)
    title: str = ""
    headings: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    times: list[tuple[str, str, str]] = field(default_factory=list)
    marked: list[tuple[str, str, str]] = field(default_factory=list)

    def meta(self, name: str) -> str:
        """Give the first content of the meta *name*; empty without one."""
        values = self.metas.get(name)
        return values[0] if values else ""


def declared(records: Iterable[Record]) -> Declared:
    """Sort *records* by what they can say; never fails, keeps a bounded number of each kind."""
    page = Declared()
    for tag, attributes, text in records:
        if tag == "meta":
            _add_meta(page, attributes)
        elif tag == "script":
            page.scripts.append(text)
        elif tag == "title":
            page.title = page.title or text
        elif tag == "html":
            page.root = page.root or attributes
        else:
            _add_element(page, tag, attributes, text)
    return page


def _add_meta(page: Declared, attributes: dict[str, str]) -> None:
    content = " ".join(attributes.get("content", "")[:_VALUE_CHARS].split())
    if not content:
        return
    if name := attributes.get("property") or attributes.get("name") or attributes.get("http-equiv"):
        _add(page.metas, name, content)
    if prop := attributes.get("itemprop"):
        _add(page.microdata, prop, content)


def _add_element(page: Declared, tag: str, attributes: dict[str, str], text: str) -> None:
    """Keep an element under each role it has: heading, relation, property, time, or marked by its class."""
    if tag == "h1" and text:
        page.headings.append(text)
    if relation := attributes.get("rel"):
        _add_link(page, tag, relation.lower().split(), attributes, text)
    marks = f" {attributes.get('class', '')} {attributes.get('id', '')} "[:500].lower()
    if prop := attributes.get("itemprop"):
        value = attributes.get("content") or attributes.get("datetime") or text or attributes.get("href", "")
        if value and "comment" not in marks:
            _add(page.microdata, prop, " ".join(value[:_VALUE_CHARS].split()))
    if tag == "time":
        if len(page.times) < _MAX_ELEMENTS:
            page.times.append((attributes.get("datetime", ""), text, marks))
    elif text and len(marks) > 3 and len(page.marked) < _MAX_ELEMENTS:
        page.marked.append((tag, marks, text))


def _add_link(page: Declared, tag: str, relations: list[str], attributes: dict[str, str], text: str) -> None:
    href = " ".join(attributes.get("href", "")[:_VALUE_CHARS].split())
    for relation in relations[:10]:
        if href and not (relation == "canonical" and tag == "a"):
            _add(page.links, relation, href)
    if tag == "a" and "author" in relations and text and len(page.credits) < _MAX_VALUES:
        page.credits.append(text)


def _add(values: dict[str, list[str]], names: str, value: str) -> None:
    """Add *value* under each of *names*, which are separated by white space."""
    for name in names[:_NAME_CHARS].lower().split()[:5]:
        known = values.setdefault(name, [])
        if len(known) < _MAX_VALUES:
            known.append(value)
