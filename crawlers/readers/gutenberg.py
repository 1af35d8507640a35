"""The text of a book of Project Gutenberg, without what the project and its volunteers put around it.

Since 1999 (about number 2000), a book stands between two lines, ``*** START OF …`` and ``*** END OF …``. Before, it
followed the "small print", or nothing but a header, and ended with a line such as "End of the Project Gutenberg Etext".
What volunteers added (who produced the file, from which scans) stands at the beginning and the end of the book itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FLAGS: Final = re.MULTILINE | re.IGNORECASE
_START: Final = re.compile(
    r"^[^\S\n]{0,20}\*{2,3}[^\S\n]{0,20}START(?:ED)? OF TH(?:E|IS) PROJECT GUTENBERG[^*]{0,400}\*{0,3}[^\S\n]*$", _FLAGS
)
_SMALL_PRINT: Final = re.compile(
    r"^\W{0,3}END\W{1,3}THE SMALL PRINT.*(?:\n(?!\n).*END\*.*)?$|^\*END\*.*THE SMALL PRINT.*$", _FLAGS
)
_SMALL_PRINT_START: Final = re.compile(r"^\W{0,5}START\W{1,4}(?:OF )?(?:THE )?SMALL PRINT", _FLAGS)
_END: Final = re.compile(
    r"^[ \t]{0,20}(?:\*{2,3}[ \t]{0,20}END OF TH(?:E|IS) PROJECT GUTENBERG|\*{3} ?(?:START|END): FULL LICENSE"
    r"|\W{0,4}(?:The )?(?:End|Ende|Fin|Fine|Fim|Einde|Slut|Konec|Loppu|Koniec)\s+"
    r"(?:(?:of|de|di|do|dieses|van|på|del|du)\s+)?(?:(?:the|this|dit|diesem|le|la)\s+)?(?:etext of\s+)?"
    r"Proje[ck]t\s+Gutenberg)",
    _FLAGS,
)
_MADE: Final = (
    "produced|prepared|transcribed|scanned|entered|typed|proofread|proofed|digiti[sz]ed|created|converted|compiled"
    "|contributed|submitted|provided|posted|marked up|formatted|OCRed"
)
_FILE: Final = "e-?text|e-?book|html version|electronic (?:version|edition|text)|text file|file|digital text|plain text"
_CREDITS: Final = (
    rf"\(?(?:{_MADE})(?:,? (?:and |& )?\w+(?:ed|ing))* (?:by|from)\b",
    rf"[\[(]?(?:this |the )?(?:project gutenberg )?(?:{_FILE}) (?:was |were |is )?(?:first )?(?:{_MADE})\b",
    r"\(?this book was (?:produced|made|created|prepared|scanned) from\b",
    r"(?:scanning|proof-?reading|ocr|html|e-?text|transcription)(?: and [\w-]+)? (?:done |courtesy )?(?:by|of)\b",
    r"the internet wiretap\b|(?:the )?online distributed proof|distributed proofreading",
    r"images (?:of the original|courtesy)\b",
    r"(?:note: )?project gutenberg (?:also )?has\b|(?:the )?project gutenberg(?:'s)? (?:e-?text|e-?book|edition)",
    r"note: (?:images|there is)\b|html version|updated editions will|end of (?:the )?project gutenberg",
    r"(?:https?://|www\.)\S+\s*\Z|[\w.+-]+@[\w.-]+\.\w+\s*\Z|e-?mail\b.{0,60}@|credits?:",
)
_CREDIT: Final = re.compile(rf"\A\W{{0,4}}(?:{'|'.join(_CREDITS)})", re.IGNORECASE)
_NOTE: Final = re.compile(r"\A[\W_]{0,6}(?:transcriber(?:['’]?s['’]?)?|e-?text)\W{1,3}(?:end)?notes?\b", re.IGNORECASE)
_ONLY_HEADING: Final = 40
_FIRST_PARAGRAPHS: Final = 25
"""Paragraphs at the beginning among which credits are looked for: title pages are longer than one expects."""
_LAST_PARAGRAPHS: Final = 12
_MAX_CREDIT_CHARACTERS: Final = 700
_HEADER_CHARACTERS: Final = 60_000
"""Part of a file in which a header can end; the longest small prints have 15,000 characters."""
_FIELD: Final = re.compile(r"^([A-Z][A-Za-z ]{2,24}):[ \t]*(\S.*(?:\n[ \t]{2,}\S.*){0,4})$", re.MULTILINE)
_NUMBER: Final = re.compile(r"\[?(?:E-?(?:book|text))[ ]?(?:No\.?\s*|#\s?)(\d{1,6})\]?", re.IGNORECASE)
_OLD_TITLE: Final = re.compile(
    r"^\W*(?:The |This is the )?Project Gutenberg(?:'s)?\s+(?:E-?text|E-?book|Edition)?\s*(?:of|,)?\s*"
    r"(\S.{1,200}?)(?:,? by (.{2,80}))?\s*$",
    _FLAGS,
)
_BLANK: Final = re.compile(r"\n(?:[ \t]*\n)+")
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
    body = _PLACEHOLDER.sub("", text[begin:end])
    lower = " ".join(f"{head}\n{text[end:]}".lower().split())
    is_free = "almost no restrictions" in lower or '"public domain" work' in lower or "for public domain" in lower
    is_free = is_free and "this is a copyrighted project gutenberg" not in lower
    return Book(_without_additions(body, keep_notes=keep_notes), number[1] if number else None, fields, is_free)


def header_fields(head: str) -> dict[str, str]:
    """Return the fields of a header; for an old one, title and author from its first line.

    >>> header_fields("The Project Gutenberg Etext of Emma, by Jane Austen\\n#6 in our series")
    {'Title': 'Emma', 'Author': 'Jane Austen'}
    """
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name, " ".join(value.split()))
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
    """Return where the book ends: before the first mark of an end, or a small print that stands after the book."""
    marks = [match.start() for pattern in (_END, _SMALL_PRINT_START) if (match := pattern.search(text, begin))]
    return min(marks, default=len(text))


def _without_additions(body: str, *, keep_notes: bool) -> str:
    """Return *body* without the credits at its beginning and end, and without notes of transcribers."""
    paragraphs = [part.strip("\n") for part in _BLANK.split(body.strip("\n \t"))]
    gaps = _BLANK.findall(body.strip("\n \t"))
    keep = [True] * len(paragraphs)
    for index in (*range(min(_FIRST_PARAGRAPHS, len(keep))), *range(max(0, len(keep) - _LAST_PARAGRAPHS), len(keep))):
        part = paragraphs[index].strip()
        keep[index] = keep[index] and not (_CREDIT.match(part) and len(part) <= _MAX_CREDIT_CHARACTERS)
        if not keep_notes and _NOTE.match(part):
            keep[index] = False
            if len(part) <= _ONLY_HEADING and index + 1 < len(keep):
                keep[index + 1] = False
    lines: list[str] = []
    for index, part in enumerate(paragraphs):
        if keep[index] and part:
            gap = "\n" * min(gaps[index - 1].count("\n"), 3) if lines and index else ""
            lines.append(gap + part)
    return "".join(lines)
