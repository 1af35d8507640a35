"""JSON-LD: the objects that describe the page, with schema.org's names (https://schema.org/Article)."""

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
"""Levels of nesting; far below Python's limit, so that an answer does not depend on who calls."""
_MAX_THINGS: Final = 500
_BRACKETS: Final = re.compile(r"[][{}]")
_BEFORE: Final = re.compile(r"\A(?:\s|<!--|//|/\*|\*/|<!\[CDATA\[)+")
_LAST_COMMA: Final = re.compile(r",(?=\s*[}\]])")
_READER: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
"""Numbers stay as they are written: none is too long, and years and version numbers are text here anyway."""
_NESTED: Final = ("@graph", "mainEntity", "mainEntityOfPage")
_WORKS: Final = ("article", "posting", "report", "recipe", "review", "creativework", "podcastepisode", "howto", "book")
_PAGES: Final = ("webpage", "itempage", "aboutpage", "qapage", "faqpage", "medicalwebpage", "profilepage")
_OTHER: Final = 2
_PART: Final = 3
"""Rank of things that are no page: its pictures, its comments, its publisher."""
_PARTS: Final = ("imageobject", "comment", "breadcrumblist", "listitem", "searchaction", "person", "organization")


class LinkedData:
    """The things that a page describes.

    Args:
        things: All, those first that are surely the page: works, then pages, then others, then parts.
        works: Those that can be the page, without its pictures, comments, publisher.
    """

    __slots__ = ("_by_id", "things", "works")

    def __init__(self, scripts: Sequence[str]) -> None:
        found = _things([_value(script) for script in scripts[:_MAX_SCRIPTS]])
        self.things = sorted(found, key=_rank)
        self.works = [thing for thing in self.things if _rank(thing) < _PART]
        self._by_id = {thing["@id"]: thing for thing in reversed(found) if _is_named(thing)}

    def whole(self, value: Any) -> Any:
        """Give the thing that *value* refers to by `@id`, or *value*."""
        if isinstance(value, dict) and isinstance(name := value.get("@id"), str) and "name" not in value:
            return self._by_id.get(name, value)
        return value

    def addresses(self, name: str) -> list[str]:
        """Give the addresses that the works hold under *name*."""
        values = (thing[name] for thing in self.works if name in thing)
        addresses = (value.get("@id") or value.get("url") if isinstance(value, dict) else value for value in values)
        return [address for address in addresses if isinstance(address, str) and address]

    def texts(self, name: str) -> list[str]:
        """Give the texts that the works hold under *name*, one for each work at most."""
        return [text for thing in self.works if name in thing and (text := text_of(thing[name]))]


def _is_named(thing: Thing) -> bool:
    """Tell whether others can refer to *thing*: it has an `@id` and is no reference itself."""
    return len(thing) > 1 and isinstance(thing.get("@id"), str)


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
    """Read a script; None when it is beyond the limits or no JSON."""
    if len(script) > _SCRIPT_CHARS or _depth(script) > _MAX_DEPTH:
        return None
    try:
        return _READER.decode(script)
    except ValueError:
        return _repaired(script)


def _repaired(script: str) -> Any:
    """Read the part up to the last bracket, without what wraps it, and with no comma before a closing bracket.

    Scripts come wrapped in comments or CDATA, end with a semicolon, or were put together in a loop.
    """
    script = _BEFORE.sub("", script, count=1).partition("]]>")[0]
    end = max(script.rfind("]"), script.rfind("}")) + 1
    try:
        return _READER.decode(_LAST_COMMA.sub("", script[:end]))
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
