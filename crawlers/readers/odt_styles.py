"""Styles of OpenDocument that change the text: numbers of lists and headings, hidden sections, lines of code."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lxml import etree

from corpusmill.crawlers.readers.blocks import numeral
from corpusmill.crawlers.readers.docx_numbering import attribute, children
from corpusmill.crawlers.readers.xml import local_name

_CODE: Final = re.compile(r"code|preformatted|verbatim|source_20_text", re.IGNORECASE)
_MAX_BASES: Final = 12


class Level(NamedTuple):
    """How the items of a list are labeled on one level; `form` is empty if they have no number."""

    is_bullet: bool
    form: str = ""
    prefix: str = ""
    suffix: str = ""
    start: int = 1
    shown: int = 1


class Styles:
    """The styles in *roots*: content, and the part `styles.xml`."""

    def __init__(self, *roots: etree._Element | None) -> None:
        self.lists: dict[str, dict[int, Level]] = {}
        self.outline: dict[int, Level] = {}
        self._parents: dict[str, tuple[str, str]] = {}
        self.language = ""
        self._hidden: set[str] = set()
        for root in roots:
            for group in root if root is not None else ():
                if local_name(group) in {"automatic-styles", "styles"}:
                    for node in group:
                        self._add(node)

    def _add(self, node: etree._Element) -> None:
        name = attribute(node, "name")
        match local_name(node):
            case "list-style":
                self.lists.setdefault(name, dict(map(_level, node)))
            case "outline-style":
                self.outline = dict(map(_level, node))
            case "style":
                self._parents.setdefault(name, (attribute(node, "parent-style-name"), attribute(node, "display-name")))
                if any(attribute(text, "display") == "none" for text in children(node, "text-properties")):
                    self._hidden.add(name)
            case "default-style" if attribute(node, "family") == "paragraph":
                for text in children(node, "text-properties"):
                    language, country = attribute(text, "language"), attribute(text, "country")
                    self.language = "-".join(filter(None, (language, country))).replace("-none", "").replace("none", "")

    def is_hidden(self, name: str) -> bool:
        """Return whether text in the style *name* is hidden."""
        return any(each in self._hidden for each in self._line(name))

    def is_code(self, name: str) -> bool:
        """Return whether paragraphs in the style *name* are lines of code."""
        return any(_CODE.search(each) for each in self._line(name))

    def is_title(self, name: str) -> bool:
        """Return whether a paragraph in the style *name* is the title of the document."""
        return "Title" in self._line(name)

    def _line(self, name: str) -> list[str]:
        """Return *name* and the styles that it is based on."""
        line: list[str] = []
        while name and name not in line and len(line) < _MAX_BASES:
            line.append(name)
            name = self._parents.get(name, ("", ""))[0]
        return line


def _level(node: etree._Element) -> tuple[int, Level]:
    place = _integer(attribute(node, "level"), 1)
    if local_name(node) in {"list-level-style-bullet", "list-level-style-image"}:
        return place, Level(is_bullet=True)
    return place, Level(
        is_bullet=False,
        form=attribute(node, "num-format"),
        prefix=attribute(node, "num-prefix"),
        suffix=attribute(node, "num-suffix"),
        start=_integer(attribute(node, "start-value"), 1),
        shown=_integer(attribute(node, "display-levels"), 1),
    )


def label_of(levels: dict[int, Level], level: int, numbers: dict[int, int]) -> str:
    """Return the label of an item on *level*, of which *numbers* has the number on each level; empty if it has none."""
    style = levels.get(level)
    if style is None or style.is_bullet:
        return "-"
    if not style.form:
        return (style.prefix + style.suffix).strip()
    shown = range(max(level - style.shown + 1, 1), level + 1)
    forms = {each: levels[each].form if each in levels else "" for each in shown}
    parts = [numeral(numbers.get(each, 1), forms[each]) for each in shown if forms[each]]
    return f"{style.prefix}{'.'.join(parts)}{style.suffix}".strip()


def _integer(text: str, default: int) -> int:
    try:
        return int(text[:9])
    except ValueError:
        return default
