"""Boxes for navigation and maintenance that pages write as HTML, ``<div class="navbox">``, without a template."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = r"(?:vertical-)?navbox|navbox-[\w-]+|sidebar|[atfo]?mbox(?:-[\w-]+)?|hatnote|dablink|metadata|noprint"
_CLASS: Final = re.compile(rf"""\bclass\s*=\s*["']?(?:[\w-]+\s+){{0,20}}(?:{_NAMES})(?=[\s"'>]|$)""", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_SPANS: Final = re.compile(r"<span\b([^<>]{0,2000})>[^<>]{0,2000}</span\s*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<(/?)(div|table)\b([^<>]{0,2000})>", re.IGNORECASE)
_ROWS: Final = re.compile(r"<(/?)(table|tr|td|th|caption)\b([^<>]{0,2000})>", re.IGNORECASE)
_MARKS: Final = {"tr": "\n|-\n", "td": "\n| |", "th": "\n! |", "caption": "\n|+"}


def is_box(attributes: str) -> bool:
    """Return whether the *attributes* of an element say that it is a box outside of the text.

    >>> is_box('class="wikitable navbox"'), is_box('class="navboxes"')
    (True, False)
    """
    return ("class" in attributes and _CLASS.search(attributes) is not None) or is_hidden(attributes)


def is_hidden(attributes: str) -> bool:
    """Return whether the *attributes* of an element say that readers do not see it.

    >>> is_hidden('style="color:red; display: none"'), is_hidden('style="display:block"')
    (True, False)
    """
    return "display" in attributes and _HIDDEN.search(attributes) is not None


def without_boxes(text: str) -> str:
    """Return *text* without such elements; those that have no end stay. Time is linear in the size of *text*.

    >>> without_boxes('a <div class="navbox">b <div>c</div></div> d')
    'a  d'
    """
    if "none" in text and "<span" in text:
        text = _SPANS.sub(lambda match: "" if is_hidden(match[1]) else match[0], text)
    if "class" not in text and "none" not in text:
        return text
    open_tags: list[tuple[str, int, bool]] = []
    boxes: list[tuple[int, int]] = []
    for match in _TAG.finditer(text):
        name = match[2].lower()
        if not match[1]:
            open_tags.append((name, match.start(), is_box(match[3])))
        elif open_tags and open_tags[-1][0] == name:
            _, start, is_outside = open_tags.pop()
            if is_outside:
                while boxes and boxes[-1][0] >= start:
                    boxes.pop()
                boxes.append((start, match.end()))
    pieces, position = [], 0
    for start, end in boxes:
        pieces.append(text[position:start])
        position = end
    return "".join((*pieces, text[position:]))


def with_table_marks(text: str) -> str:
    """Return *text* with tables of HTML as tables of wikitext, so that both are read, or left out, alike.

    >>> with_table_marks("<table><tr><td>a</td><td>b</td></tr></table>")
    '\\n{|\\n\\n|-\\n\\n| |a\\n| |b\\n|}\\n'
    """
    opened = 0

    def mark(match: re.Match[str]) -> str:
        nonlocal opened
        name = match[2].lower()
        if name == "table":
            if match[1] and not opened:
                return ""
            opened += -1 if match[1] else 1
            return "\n|}\n" if match[1] else f"\n{{|{match[3]}\n"
        return "" if match[1] or not opened else _MARKS[name]

    lowered = text.count("<table"), text.count("</table")
    return _ROWS.sub(mark, text) if lowered[0] and lowered[0] == lowered[1] else text
