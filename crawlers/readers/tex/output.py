"""The text that is written while a paper is read: paragraphs, and parts such as footnotes that are placed later."""

from __future__ import annotations

import re
from typing import Final

DROPPED_MARK: Final = "\x01"
"""Stands where a citation or reference was removed, until the blank and the brackets around it are."""
_KEPT: Final = re.compile("\x00(\\d+)\x02")
_NOT_TEXT: Final = re.compile(r"[\x03-\x08\x0b-\x1f\x7f]")
_EMPTY_BRACKETS: Final = re.compile("[ \xa0]?[(\\[][ \xa0,;§\x01–-]{0,60}\x01[ \xa0,;\x01–-]{0,60}[)\\]]")
_MARKS: Final = re.compile("[ \xa0]*(?:§{1,2}[ \xa0]?)?(?:\x01(?:[ \xa0]?(?:[,;–-]|--)?[ \xa0]?(?=\x01))?)+")
_LIGATURES: Final = {
    "---": "—", "--": "–", "``": "“", "''": "”", "`": "‘", "?`": "¿", "!`": "¡", "<<": "«", ">>": "»",
}  # fmt: skip
_LIGATURE: Final = re.compile("---|--|``|''|[?!]`|`|<<|>>")


class Output:
    """Text in the order of the paper; formulas and verbatim text are set apart until it is complete."""

    def __init__(self) -> None:
        self._buffers: list[list[str]] = [[]]
        self._kept: list[str] = []
        self._pending: list[str] = []

    def add(self, text: str) -> None:
        """Write *text*."""
        self._buffers[-1].append(text)

    def keep(self, text: str) -> None:
        """Write *text* as it is: a formula, an address of the web, or verbatim text."""
        self._kept.append(text)
        self.add(f"\x00{len(self._kept) - 1}\x02")

    def paragraph(self) -> None:
        """End the paragraph, and write the footnotes of it."""
        self.add("\n\n")
        if self._pending and len(self._buffers) == 1:
            self.add("\n\n".join(self._pending) + "\n\n")
            self._pending.clear()

    def start(self) -> int:
        """Collect what follows; return the number of collections, for `stop`."""
        self._buffers.append([])
        return len(self._buffers)

    def stop(self, number: int) -> str:
        """Return what was written since the `start` that returned *number*."""
        collected = [text for buffer in self._buffers[number - 1 :] for text in buffer]
        if number > 1:
            del self._buffers[number - 1 :]
        return "".join(collected)

    def later(self, text: str) -> None:
        """Write *text* after this paragraph."""
        self._pending.append(text)

    def clear(self) -> None:
        """Forget the text, for the part of a file before the paper begins."""
        self._buffers = [[]]
        self._pending.clear()

    def text(self) -> str:
        """Return the whole text."""
        self._buffers = [["".join("".join(buffer) for buffer in self._buffers)]]
        self.paragraph()
        return self.finished("".join(self._buffers[0]))

    def finished(self, text: str) -> str:
        """Return *text* with ligatures, without traces of what was removed, and with formulas in their places."""
        text = _NOT_TEXT.sub("", text)
        if DROPPED_MARK in text:
            text = _EMPTY_BRACKETS.sub(DROPPED_MARK, text)
            text = _MARKS.sub("", re.sub("[.][ \xa0]?\x01+[.]", ".", text))
        text = _LIGATURE.sub(lambda match: _LIGATURES[match[0]], text)
        text = text.replace("\xa0", " ").replace("\t", " ")
        text = re.sub(r" {2,}", " ", text)
        text = re.sub(r" ?\n ?", "\n", text)
        text = re.sub(r"(?<=\w)[,;] ?(?=[)\]])", "", text)
        text = re.sub(r" ([,.;:])(?= |\n|\Z)", r"\1", text)
        text = re.sub(r"\n{3,}", "\n\n", text)
        return _KEPT.sub(lambda match: self._kept[int(match[1])], text).strip()
