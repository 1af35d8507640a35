"""Numbers of lists and headings in DOCX, as Word shows them."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final, NamedTuple

from lxml import etree

from corpusmill.crawlers.readers.blocks import numeral
from corpusmill.crawlers.readers.xml import local_name

_FORMS: Final = {
    "lowerLetter": "a",
    "upperLetter": "A",
    "lowerRoman": "i",
    "upperRoman": "I",
    "decimalZero": "01",
}
_PLACE: Final = re.compile(r"%([1-9])")
_LEVELS: Final = 9
_MAX_LABEL_CHARACTERS: Final = 40


class _Level(NamedTuple):
    form: str
    pattern: str
    start: int


class Numbering:
    """The definitions of lists in the part *root*, and the numbers that were used so far."""

    def __init__(self, root: etree._Element | None) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._list_of: dict[str, str] = {}
        self._starts: dict[tuple[str, int], int] = {}
        self._used: dict[str, dict[int, int]] = defaultdict(dict)
        self._seen: set[str] = set()
        for node in root if root is not None else ():
            if local_name(node) == "abstractNum":
                self._levels[attribute(node, "abstractNumId")] = dict(map(_level, children(node, "lvl")))
            elif local_name(node) == "num":
                self._define(node)

    def _define(self, node: etree._Element) -> None:
        number = attribute(node, "numId")
        self._list_of[number] = next((attribute(child, "val") for child in children(node, "abstractNumId")), "")
        for override in children(node, "lvlOverride"):
            level = _integer(attribute(override, "ilvl"), 0)
            for start in children(override, "startOverride"):
                self._starts[number, level] = _integer(attribute(start, "val"), 1)

    def label(self, number: str, level: int) -> str | None:
        """Count a paragraph of the list *number* on *level* and return its label; None if there is no such list.

        A bullet is ``-``; a level without a label gives an empty string.
        """
        levels = self._levels.get(self._list_of.get(number, ""))
        if levels is None or number == "0":
            return None
        style = levels.get(level) or _Level("decimal", f"%{level + 1}.", 1)
        used = self._used[self._list_of[number]]
        if number not in self._seen:
            self._seen.add(number)
            for place in range(_LEVELS):
                if (number, place) in self._starts:
                    used[place] = self._starts[number, place] - 1
        used[level] = used.get(level, style.start - 1) + 1
        for deeper in range(level + 1, _LEVELS):
            used.pop(deeper, None)
        if style.form == "bullet":
            return "-"
        if style.form == "none":
            return ""
        return _PLACE.sub(lambda place: _shown(levels, used, int(place[1]) - 1), style.pattern).strip()[
            :_MAX_LABEL_CHARACTERS
        ]


def _shown(levels: dict[int, _Level], used: dict[int, int], level: int) -> str:
    style = levels.get(level) or _Level("decimal", "", 1)
    return numeral(used.get(level, style.start), _FORMS.get(style.form, "1"))


def _level(node: etree._Element) -> tuple[int, _Level]:
    values = {local_name(child): attribute(child, "val") for child in node}
    level = _Level(values.get("numFmt", "decimal"), values.get("lvlText", ""), _integer(values.get("start", ""), 1))
    return _integer(attribute(node, "ilvl"), 0), level


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Return the children of *element* with the local *name*."""
    return [child for child in element if local_name(child) == name]


def attribute(element: etree._Element, name: str) -> str:
    """Return the attribute with the local *name*, in any namespace; empty if there is none."""
    return next((str(value) for key, value in element.items() if str(key).rpartition("}")[2] == name), "")


def _integer(text: str, default: int) -> int:
    try:
        return int(text)
    except ValueError:
        return default
