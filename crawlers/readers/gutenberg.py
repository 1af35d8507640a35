"""The text of a book of Project Gutenberg, without what the project and its volunteers put around it.

Since 1999 (about number 2000), a book stands between two lines, ``*** START OF …`` and ``*** END OF …``. Before, it
followed the "small print", or nothing but a header, and ended with a line such as "End of the Project Gutenberg Etext".
What volunteers added (who produced the file, from which scans) stands at the beginning and the end of the book itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from corpusmill.crawlers.readers.gutenberg_additions import without_additions

_FLAGS: Final = re.MULTILINE | re.IGNORECASE
_START: Final = re.compile(
    r"^[^\S\n]{0,20}\*{2,3}[^\S\n]{0,20}START(?:ED)? OF TH(?:E|IS) (?:COPYRIGHTED )?PROJECT GUTENBERG"
    r"[^*]{0,400}\*{0,3}[^\S\n]*$",
    _FLAGS,
)
_SMALL_PRINT: Final = re.compile(
    r"^\W{0,3}END\W{1,3}THE SMALL PRINT.*(?:\n(?!\n).*END\*.*)?$|^\*END\*.*THE SMALL PRINT.*$", _FLAGS
)
_SMALL_PRINT_START: Final = re.compile(r"^\W{0,5}START\W{1,4}(?:OF )?(?:THE )?SMALL PRINT", _FLAGS)
_END: Final = re.compile(
    r"^[ \t]{0,20}(?:\*{2,3}[ \t]{0,20}END OF TH(?:E|IS) (?:COPYRIGHTED )?PROJECT GUTENBERG"
    r"|\*{3} ?(?:START|END): FULL LICENSE)",
    _FLAGS,
)
_LICENSE: Final = re.compile(
    r"^[ \t]{0,20}(?:\*{3,9} ?This file should be named|Updated editions will replace the previous)", _FLAGS
)
"""What follows the book; the first also stands in old headers."""
_END_LINE: Final = re.compile(
    r"^[ \t]{0,20}[^\w\n]{0,4}(?:The )?(?:End|Ende|Fin|Fine|Fim|Einde|Slut|Konec|Loppu|Koniec)\s+"
    r"(?:(?:of|de|di|do|dieses|van|på|del|du)\s+)?(?:(?:the|this|dit|diesem|le|la)\s+)?(?:etext of\s+)?"
    r"Proje[ck]?t\s+Gutenberg",
    _FLAGS,
)
_MAX_END_CHARACTERS: Final = 3_000
"""What can stand between the end line of a book and the license."""
_PARAGRAPH: Final = re.compile(r"\A[^\n]{1,200}(?:\n[^\n]{1,200}){0,3}\s*\Z")
"""A paragraph with nothing after it."""
_WORLD_LIBRARY: Final = re.compile(r"<<THIS ELECTRONIC VERSION OF[^>]{1,2000}>>\s*", re.IGNORECASE)
"""A notice that stands many times in the works of Shakespeare."""
_HEADER_CHARACTERS: Final = 60_000
"""Part of a file in which a header can end; the longest small prints have 15,000 characters."""
_FIELD: Final = re.compile(r"^([A-Z][A-Za-z ]{2,24}):[ \t]*(\S.*(?:\n[ \t]{2,}\S.*){0,4})$", re.MULTILINE)
_NUMBER: Final = re.compile(r"\[?(?:E-?(?:book|text))[ ]?(?:No\.?\s*|#\s?)(\d{1,6})\]?", re.IGNORECASE)
_OLD_TITLE: Final = re.compile(
    r"^\W*(?:The |This is the )?Project Gutenberg(?:'s)?\s+(?!is |has |was |presents )"
    r"(?:E-?text|E-?book|Edition)?\s*(?:of|,)?\s*(\S.{1,200}?)(?:,? by (.{2,80}))?\s*$",
    _FLAGS,
)
_PAGE: Final = re.compile(r"\[(?:Pg|Page) ?[\divxlc]{1,6}\][ ]?", re.IGNORECASE)
"""The number of a page of the printed book, which some transcribers leave in the text."""
_PLACEHOLDER: Final = re.compile(r"^[ \t]*\[(?:Illustration|Plate|Picture|Frontispiece)\.?\][ \t]*$\n?", _FLAGS)


@dataclass(frozen=True)
class Book:
    """A book, and the fields of its header (`Title`, `Author`, `Language`, `Release Date`, …)."""

    text: str
    number: str | None
    fields: dict[str, str]
    is_free: bool
    """Whether the header says that the book may be used without restrictions in the United States."""


def book_of(text: str, *, keep_notes: bool = False) -> Book | None:
    """Return the book in *text*, a file of Project Gutenberg; None if nothing in it is of the project.

    Args:
        keep_notes: Keep the notes of transcribers.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    begin = _beginning(text)
    head = text[:begin] if begin else text[:4_000]
    if begin == 0 and "project gutenberg" not in head.lower() and not _END.search(text):
        return None
    end = _ending(text, begin)
    fields = header_fields(head)
    number = _NUMBER.search(fields.get("Release Date", "")) or _NUMBER.search(fields.get("Posting Date", ""))
    number = number or _NUMBER.search(head)
    body = _WORLD_LIBRARY.sub("", _PAGE.sub("", _PLACEHOLDER.sub("", text[begin:end])))
    lower = " ".join(f"{head}\n{text[end:]}".lower().split())
    is_free = "almost no restrictions" in lower or '"public domain" work' in lower or "for public domain" in lower
    is_free = is_free and "copyrighted project gutenberg" not in lower and "nor public domain" not in lower
    return Book(without_additions(body, keep_notes=keep_notes), number[1] if number else None, fields, is_free)


def is_marked(text: str) -> bool:
    """Return whether *text* has the line with which a book of Project Gutenberg begins today."""
    return _START.search(text[:_HEADER_CHARACTERS]) is not None


def header_fields(head: str) -> dict[str, str]:
    """Return the fields of a header; for an old one, title and author from its first line.

    >>> header_fields("The Project Gutenberg Etext of Emma, by Jane Austen\\n#6 in our series")
    {'Title': 'Emma', 'Author': 'Jane Austen'}
    """
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name.title(), " ".join(value.split()))
    if "Title" not in fields and (match := _OLD_TITLE.search(head[:3_000])):
        fields["Title"] = " ".join(match[1].split()).strip(" *")
        if match[2] and "Author" not in fields:
            fields["Author"] = match[2].strip(" *")
    return fields


def _beginning(text: str) -> int:
    """Return where the book begins: after the last of the marks in the header, 0 without any."""
    window = text[:_HEADER_CHARACTERS]
    if marks := list(_START.finditer(window)):
        begin = marks[-1].end()
        if (late := _SMALL_PRINT.search(window, begin)) and late.start() - begin < 20_000:
            return late.end()
        return begin
    if prints := list(_SMALL_PRINT.finditer(window)):
        return prints[-1].end()
    first = re.match(r"\s*(?:\*{0,4}(?:The |This is the )?Project Gutenberg.*\n(?:.+\n)*)", window, re.IGNORECASE)
    return first.end() if first else 0


def _ending(text: str, begin: int) -> int:
    """Return where the book ends: before the line that says so, the license, or a small print after the book.

    Of lines such as "End of the Project Gutenberg …" the last one counts: others can be sentences of the book.
    """
    patterns = ((_END, begin), (_SMALL_PRINT_START, begin), (_LICENSE, max(begin, len(text) // 2)))
    marks = [match.start() for pattern, first in patterns if (match := pattern.search(text, first))]
    limit = min(marks, default=len(text))
    lines = [line.start() for line in _END_LINE.finditer(text, begin, limit) if _stands_alone(text, line.start())]
    end = lines[-1] if lines and (not marks or limit - lines[-1] <= _MAX_END_CHARACTERS) else limit
    return next((line for line in lines if line < end and _PARAGRAPH.match(text[line:end])), end)


def _stands_alone(text: str, start: int) -> bool:
    """Return whether an empty line is before *start*, or nothing but the book's beginning."""
    return text[max(0, start - 200) : start].replace(" ", "").endswith(("\n\n", "\t\n")) or not text[:start].strip()
