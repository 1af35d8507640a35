"""One pass over templates ``{{…}}``, arguments ``{{{…}}}`` and links ``[[…]]``, which nest, with a stack.

The innermost is rendered first, and its text becomes part of what contains it. What is nested deeper than `MAX_DEPTH`
is read as part of its surroundings, so that time is linear in the size of the text. An unclosed template ends with its
line, or after the following lines that look like its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

MAX_DEPTH: Final = 60
"""Levels of templates and links; MediaWiki itself stops at 100 levels, real pages have fewer than 20."""
EQUALS: Final = "\x03"
"""Stands for an equals sign that a nested template wrote, because it does not divide a name from a value."""
_TOKENS: Final = re.compile(r"(\[\[+|\]\]+|\||\{\{+|\}\}+)")

Template = Callable[[list[str], bool], str]
"""Renders the parts of a template; the flag says whether it is alone on its line."""
Link = Callable[[list[str]], str]


class _Frame:
    """An open template (`braces` is the number of its opening braces) or link (`braces` is 0)."""

    __slots__ = ("braces", "buffer", "is_at_line_start", "parts")

    def __init__(self, braces: int, *, is_at_line_start: bool) -> None:
        self.braces = braces
        self.parts: list[str] = []
        self.buffer: list[str] = []
        self.is_at_line_start = is_at_line_start

    def next_part(self) -> None:
        self.parts.append("".join(self.buffer))
        self.buffer.clear()

    def append(self, text: str) -> None:
        """Append rendered text."""
        if text:
            self.buffer.append(text.replace("=", EQUALS) if self.braces and "=" in text else text)


class Braces:
    """Renders templates with *template* and links with *link*."""

    def __init__(self, template: Template, link: Link) -> None:
        self._template = template
        self._link = link

    def rendered(self, text: str) -> str:
        """Return *text* with all templates and links rendered."""
        if "{{" not in text and "[[" not in text:
            return text
        self._root = _Frame(0, is_at_line_start=True)
        self._stack: list[_Frame] = [self._root]
        self._open_templates = 0
        self._too_deep = 0
        pieces = _TOKENS.split(text)
        pieces.append("")
        for index in range(0, len(pieces) - 1, 2):
            if literal := pieces[index]:
                self._stack[-1].buffer.append(literal)
            token = pieces[index + 1]
            if token == "|":
                self._pipe()
            elif token:
                self._brackets(token, follows=pieces[index + 2])
        while len(self._stack) > 1:
            self._abandon()
        return "".join(self._root.buffer)

    def _pipe(self) -> None:
        frame = self._stack[-1]
        if frame is self._root:
            frame.buffer.append("|")
        else:
            frame.next_part()

    def _brackets(self, token: str, *, follows: str) -> None:
        kind, size = token[0], len(token)
        if kind == "{":
            self._open(size)
        elif kind == "}":
            self._close_braces(size, follows)
        elif kind == "[":
            if size % 2:
                self._stack[-1].buffer.append("[")
            for _ in range(size // 2):
                self._open(0)
        else:
            self._close_links(size)

    def _open(self, braces: int) -> None:
        if len(self._stack) > MAX_DEPTH:
            self._too_deep += max(braces // 2, 1)
            return
        self._stack.append(_Frame(braces, is_at_line_start=_is_at_line_start(self._stack[-1].buffer)))
        self._open_templates += braces > 0

    def _pop(self) -> _Frame:
        frame = self._stack.pop()
        self._open_templates -= frame.braces > 0
        return frame

    def _close_links(self, size: int) -> None:
        is_odd = size % 2 == 1
        frame = self._stack[-1]
        if is_odd and frame.buffer and "[" in frame.buffer[-1]:
            frame.buffer.append("]")
            is_odd = False
        for _ in range(size // 2):
            if self._too_deep:
                self._too_deep -= 1
            elif len(self._stack) > 1 and not self._stack[-1].braces:
                frame = self._pop()
                frame.next_part()
                self._stack[-1].append(self._link(frame.parts))
        if is_odd:
            self._stack[-1].buffer.append("]")

    def _close_braces(self, size: int, follows: str) -> None:
        while size >= 2:
            if self._too_deep:
                self._too_deep -= 1
                size -= 2
                continue
            if not self._open_templates:
                return
            while not self._stack[-1].braces:
                self._abandon()
            frame = self._pop()
            frame.next_part()
            used = min(frame.braces, size, 3)
            size -= used
            self._finish(frame, used, follows if size < 2 else "")
        if size:
            self._stack[-1].buffer.append("}")

    def _finish(self, frame: _Frame, used: int, follows: str) -> None:
        """Render *frame*, and keep its other opening braces open."""
        rest = frame.braces - used
        is_alone = frame.is_at_line_start and not rest and (not follows or follows[0] == "\n")
        if used == 3:
            text = frame.parts[1] if len(frame.parts) > 1 else ""
            text = text.replace(EQUALS, "=")
        else:
            text = self._template(frame.parts, is_alone)
        if rest >= 2:
            outer = _Frame(rest, is_at_line_start=frame.is_at_line_start)
            self._stack.append(outer)
            self._open_templates += 1
        elif rest:
            self._stack[-1].buffer.append("{")
        self._stack[-1].append(text)

    def _abandon(self) -> None:
        """Turn the innermost frame, which has no end, into text."""
        frame = self._pop()
        frame.next_part()
        text = "|".join(frame.parts)
        if frame.braces:
            text = _after_unclosed(text.replace(EQUALS, "="))
        self._stack[-1].append(text)


def _is_at_line_start(buffer: list[str]) -> bool:
    return not buffer or buffer[-1].endswith("\n")


_ARGUMENTS: Final = re.compile(r"[^\n]*(?:\n[ \t]*\|[^\n]*)*")


def _after_unclosed(text: str) -> str:
    """Return what follows an unclosed template.

    >>> _after_unclosed("Infobox\\n| a = b\\nText")
    '\\nText'
    """
    match = _ARGUMENTS.match(text)
    return text[match.end() :] if match else text
