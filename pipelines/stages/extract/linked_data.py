"""JSON-LD: the objects that describe a page, in terms of schema.org (https://schema.org/Article)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

Thing: TypeAlias = dict[str, Any]

_SCRIPT_CHARS: Final = 500_000
_MAX_SCRIPTS: Final = 20
_MAX_DEPTH: Final = 200
"""Maximum nesting, far below Python's recursion limit, so that the result does not depend on the caller's depth."""
_MAX_THINGS: Final = 500
_BRACKETS: Final = re.compile(r"[][{}]")
_BEFORE: Final = re.compile(r"\A(?:\s|<!--|//|/\*|\*/|<!\[CDATA\[)+")
_LAST_COMMA: Final = re.compile(r",(?=\s*[}\]])")
_READER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
"""Numbers are kept as text: none is too long, and years and version numbers are used as text."""
_NESTED: Final = ("@graph", "mainEntity", "mainEntityOfPage")
_WORKS: Final = ("article", "posting", "report", "recipe", "review", "creativework", "podcastepisode", "howto", "book")
_PAGES: Final = ("webpage", "itempage", "aboutpage", "qapage", "faqpage", "medicalwebpage", "profilepage")
_OTHER: Final = 2
_PART: Final = 3
"""Rank of objects that are not the page: its images, comments, publisher."""
_PARTS: Final = ("imageobject", "comment", "breadcrumblist", "listitem", "searchaction", "person", "organization")


class LinkedData:
    """The objects that a page describes.

    Args:
        things: All objects, in order of how certainly they are the page: works, pages, others, parts of a page.
        works: Objects that can be the page, without images, comments and publisher.
    """

    __slots__ = ("_by_id", "things", "works")

    def __init__(self, scripts: Sequence[str]) -> None:
        things = _things([_value(script) for script in scripts[:_MAX_SCRIPTS]])
        self.things = sorted(things, key=_rank)
        self.works = [thing for thing in self.things if _rank(thing) < _PART]
        self._by_id = {thing["@id"]: thing for thing in reversed(things) if _is_named(thing)}

    def whole(self, value: Any) -> Any:
        """Return the object that *value* refers to by `@id`, or *value* itself."""
        if isinstance(value, dict) and isinstance(name := value.get("@id"), str) and "name" not in value:
            return self._by_id.get(name, value)
        return value

    def addresses(self, name: str, *, of: frozenset[str] | None = None, but: frozenset[str] = frozenset()) -> list[str]:
        """Return the addresses under *name* in the works, or in the things of a type in *of*, but not of one in *but*.

        Types are in lower case.
        """
        things = self.works if of is None else [thing for thing in self.things if of.intersection(kinds(thing))]
        values = (thing[name] for thing in things if name in thing and not but.intersection(kinds(thing)))
        addresses = (value.get("@id") or value.get("url") if isinstance(value, dict) else value for value in values)
        return [address for address in addresses if isinstance(address, str) and address]

    def texts(self, name: str) -> list[str]:
        """Return the texts under *name* in the works, at most one per work."""
        return [text for thing in self.works if name in thing and (text := text_of(thing[name]))]


def _is_named(thing: Thing) -> bool:
    """Return whether others can refer to *thing*: it has an `@id` and is not itself a reference."""
    return len(thing) > 1 and isinstance(thing.get("@id"), str)


def kinds(thing: Thing) -> list[str]:
    """Return the types of *thing* in lower case."""
    value = thing.get("@type")
    values = value if isinstance(value, list) else [value]
    return [kind.lower() for kind in values[:10] if isinstance(kind, str)]


def text_of(value: Any) -> str:
    """Return the text of a value: itself, its first item, or its `@value`; empty if it has none."""
    for _ in range(3):
        if isinstance(value, str):
            return " ".join(value[:2_000].split())
        if isinstance(value, list):
            value = value[0] if value else None
        elif isinstance(value, dict):
            value = value.get("@value") or value.get("name")
    return ""


def _rank(thing: Thing) -> int:
    """Return a sort key for how certainly *thing* is the page: works, pages, others, parts of a page."""
    kind = thing.get("@type")
    if isinstance(kind, str):
        return _rank_of(kind)
    return min((_rank_of(kind) for kind in kinds(thing)), default=_OTHER)


@lru_cache(maxsize=1024)
def _rank_of(kind: str) -> int:
    kind = kind.lower()
    if kind.endswith(_WORKS):
        return 0
    if kind in _PAGES:
        return 1
    return _PART if kind.endswith(_PARTS) else _OTHER


def _value(script: str) -> Any:
    """Parse a script; None if it exceeds the limits or is not JSON."""
    if len(script) > _SCRIPT_CHARS or _depth(script) > _MAX_DEPTH:
        return None
    try:
        return _READER.decode(script)
    except ValueError:
        return _repaired(script)


def _repaired(script: str) -> Any:
    """Parse the part up to the last bracket, without wrappers and without commas before closing brackets.

    Scripts may be wrapped in comments or CDATA, end with a semicolon, or have been generated in a loop.
    """
    script = _BEFORE.sub("", script, count=1).partition("]]>")[0]
    end = max(script.rfind("]"), script.rfind("}")) + 1
    try:
        return _READER.decode(_LAST_COMMA.sub("", script[:end]))
    except ValueError:
        return None


def _depth(text: str) -> int:
    """Return an upper bound for the nesting of JSON *text*. Brackets in strings count as well."""
    opened = text.count("[") + text.count("{")
    if opened <= _MAX_DEPTH:
        return opened
    depth = deepest = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _things(value: Any) -> list[Thing]:
    """Return the objects in *value*, in its graphs, and those of which they are the page; outer objects first."""
    things: list[Thing] = []
    waiting = [value]
    while waiting and len(things) < _MAX_THINGS:
        level, waiting = waiting, []
        for item in level:
            if isinstance(item, list):
                waiting.extend(item[:_MAX_THINGS])
            elif isinstance(item, dict):
                things.append(item)
                waiting.extend(item[name] for name in _NESTED if name in item)
    return things[:_MAX_THINGS]
