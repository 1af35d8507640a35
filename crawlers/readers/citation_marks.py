"""Marks of citations and footnotes in the line of a paper: they go, with the brackets and commas around them.

A reader writes `MARK` where it removed one, and `tidied` removes what is left of the list of marks.
"""

from __future__ import annotations

import re
from typing import Final

_NUMBERS: Final = re.compile(r"[\s\[\]().,;:&*†‡§#–—−-]*+(?:\d++[a-z]?[\s\[\]().,;:&*†‡§#–—−-]*+)*+")
_YEAR: Final = re.compile(r"\(?(?:1[5-9]|20)\d\d[a-z]?\)?")
_FOOTNOTE: Final = re.compile(r"[\s,()\[\]]*+(?:(?:[a-z]|[*†‡§¶#]++|\d{1,2}+)[\s,()\[\]]*+)*+")
MARK: Final = "\ue0f0"
"""Stands where a mark of a citation was removed, so that the brackets and commas around it can go, too."""
_MARKS: Final = re.compile(
    rf"[\[(] ?{MARK}(?:[ ,;–—−-]|and|[\])][ ,–—−-]*[\[(]|{MARK})*(?:[\])]|\Z)|{MARK}(?:[ ,;–—−-]*{MARK})*"
)
_STRAY: Final = re.compile(r"(?<=[\[(]) ?[,;] |[,;] ?(?=[\])])")
_LEFT_OPEN: Final = re.compile(r" ?(?:\[[\s,;–—−-]*\]|\([\s,;–—−-]*\))")
_BEFORE_MARK: Final = re.compile(r" +(?=[.,;:!?)\]](?:\s|$))")
_APART: Final = re.compile(r" [.,;:!?)\]]")


def is_mark(ref_type: str | None, words: str) -> bool:
    """Return whether a reference is only a number or a sign. A year is read as a word: (Smith 2008, 2009)."""
    if ref_type in {"fn", "table-fn", "aff", "corresp"}:
        return _FOOTNOTE.fullmatch(words) is not None
    return ref_type in {"bibr", None} and _NUMBERS.fullmatch(words) is not None and not _YEAR.fullmatch(words.strip())


def tidied(words: str) -> str:
    """Return *words* in one line, without the brackets and commas around the marks of citations that were removed.

    >>> tidied(f"One [{MARK}, {MARK}].  Two [{MARK}, p. 5] (three; {MARK}) four{MARK},{MARK}")
    'One. Two [p. 5] (three) four'
    """
    line = " ".join(words.split())
    if MARK in line:
        line = " ".join(_STRAY.sub("", _MARKS.sub("", line)).split())
        line = _LEFT_OPEN.sub("", line)
    return _BEFORE_MARK.sub("", line) if _APART.search(line) else line
