"""JSON-LD: the objects that describe the page, with schema.org's names (https://schema.org/Article)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

Thing: TypeAlias = dict[str, Any]

_SCRIPT_CHARS: Final = 500_000
_MAX_SCRIPTS: Final = 20
_MAX_DEPTH: Final = 200
"""Levels of nesting; far below Python's limit, so that an answer does not depend on who calls."""
_MAX_THINGS: Final = 500
_BRACKETS: Final = re.compile(r"[][{}]")
_WRAPPING: Final = re.compile(r"^(?:\s|<!--|//|/\*|\*/|<!\[CDATA\[)+|(?:\s|-->|//|/\*|\*/|\]\]>|;)+$")
_LAST_COMMA: Final = re.compile(r",(?=\s*[}\]])")
_READER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
"""Numbers stay as they are written: none is too long, and years and version numbers are text here anyway."""
_NESTED: Final = ("@graph", "mainEntity", "mainEntityOfPage", "liveBlogUpdate")
_WORKS: Final = ("article", "posting", "report", "recipe", "review", "creativework", "podcastepisode", "howto", "book")
_PAGES: Final = ("webpage", "itempage", "aboutpage", "qapage", "faqpage", "medicalwebpage", "profilepage")
_OTHER: Final = 3
"""Rank of things that are no page: its pictures, its comments, its publisher."""
_PARTS: Final = ("imageobject", "comment", "breadcrumblist", "listitem", "searchaction", "person", "organization")


class LinkedData:
    """The things that a page describes, those first that are the page itself."""

    __slots__ = ("_by_id", "things")

    def __init__(self, scripts: Iterable[str]) -> None:
        found: list[Thing] = []
        for script in list(scripts)[:_MAX_SCRIPTS]:
            found.extend(_things(_value(script)))
        self._by_id = {
            thing["@id"]: thing for thing in reversed(found) if len(thing) > 1 and isinstance(thing.get("@id"), str)
        }
        self.things = sorted(found, key=_rank) if len(found) > 1 else found

    def whole(self, value: Any) -> Any:
        """Give the thing that *value* refers to by `@id`, or *value*."""
        if isinstance(value, dict) and isinstance(name := value.get("@id"), str) and "name" not in value:
            return self._by_id.get(name, value)
        return value

    def addresses(self, name: str) -> list[str]:
        """Give the addresses that the works and the pages hold under *name*."""
        values = (thing.get(name) for thing in self.things if _rank(thing) < _OTHER)
        addresses = (value.get("@id") or value.get("url") if isinstance(value, dict) else value for value in values)
        return [address for address in addresses if isinstance(address, str) and address]

    def texts(self, name: str) -> Iterator[str]:
        """Give the texts that the works and the pages hold under *name*, one for each thing at most."""
        for thing in self.things:
            if _rank(thing) < _OTHER and (text := text_of(thing.get(name))):
                yield text



def kinds(thing: Thing) -> list[str]:
    """Give the types of *thing* in lower case."""
    value = thing.get("@type")
    values = value if isinstance(value, list) else [value]
    return [kind.lower() for kind in values[:10] if isinstance(kind, str)]


def text_of(value: Any) -> str:
    """Give the text of a value: itself, its first item, or its `@value`; empty when it is none."""
    for _ in range(3):
        if isinstance(value, str):
            return " ".join(value[:2_000].split())
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            value = value.get("@value") or value.get("name")
    return ""


def _rank(thing: Thing) -> int:
    """Order things by how surely they are the page: works, pages, others, parts of a page."""
    names = kinds(thing)
    if any(name.endswith(_WORKS) for name in names):
        return 0
    if any(name in _PAGES for name in names):
        return 1
    return _OTHER if any(name.endswith(_PARTS) for name in names) else 2


def _value(script: str) -> Any:
    """Read a script; None when it is beyond the limits or no JSON."""
    if len(script) > _SCRIPT_CHARS or _depth(script) > _MAX_DEPTH:
        return None
    try:
        return _READER.decode(script)
    except ValueError:
        return _repaired(script)


def _repaired(script: str) -> Any:
    """Read a script that is wrapped in comments, ends with a semicolon, or has a comma before a bracket."""
    try:
        return _READER.decode(_LAST_COMMA.sub("", _WRAPPING.sub("", script)))
    except ValueError:
        return None


def _depth(text: str) -> int:
    """Give a bound for the nesting of JSON *text*; brackets in strings count, so it may be too high."""
    opened = text.count("[") + text.count("{")
    if opened <= _MAX_DEPTH:
        return opened
    depth = deepest = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _things(value: Any) -> list[Thing]:
    """Give the objects of *value*, of its graphs and of what they are the page of; the outer ones first."""
    found: list[Thing] = []
    waiting = [value]
    while waiting and len(found) < _MAX_THINGS:
        level, waiting = waiting, []
        for item in level:
            if isinstance(item, list):
                waiting.extend(item[:_MAX_THINGS])
            elif isinstance(item, dict):
                found.append(item)
                waiting.extend(item[name] for name in _NESTED if name in item)
    return found[:_MAX_THINGS]
