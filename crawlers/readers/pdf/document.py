"""A whole PDF file as text and metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypedDict

from corpusmill.crawlers.readers.pdf.columns import blocks, common_gutter
from corpusmill.crawlers.readers.pdf.furniture import furniture
from corpusmill.crawlers.readers.pdf.glyphs import Piece, glyphs_of, pieces_of
from corpusmill.crawlers.readers.pdf.line_numbers import without_line_numbers
from corpusmill.crawlers.readers.pdf.lines import Line, lines_of
from corpusmill.crawlers.readers.pdf.paragraphs import paragraphs
from corpusmill.crawlers.readers.pdf.xmp import license_of
from corpusmill.schemas.errors import DataError

MAX_PAGES: Final = 20_000
MAX_CHARACTERS: Final = 20_000_000
_PASSWORD: Final = 4
_SECURITY: Final = 5
_HEAD: Final = 1024
_TAIL: Final = 4096
_DATE: Final = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:([-+Z])(\d\d)?'?(\d\d)?'?)?")
_NO_TITLE: Final = re.compile(
    r"untitled|microsoft (?:word|powerpoint)\b.*|.*\.(?:docx?|tex|dvi|pdf|indd|qxd|rtf|odt|pptx?|p65|ps|eps)|[\W\d_]*"
    r"|\S*[_/\\]\S*|.*\bcamera.?ready.*|(?:document|paper|title|main|manuscript|layout ?1)\d*",
    re.IGNORECASE,
)


class Reading(TypedDict):
    """What a file gives."""

    text: str
    title: str | None
    created: str | None
    language: str
    producer: str
    license: str | None
    license_source: str | None
    pages: int
    pages_without_text: int


def read(data: bytes) -> Reading:
    """Return the text and metadata of the PDF file *data*.

    Raises:
        DataError: ``wrong_format``, ``truncated``, ``encrypted``, ``too_large``, ``no_text_layer``, or ``unreadable``.
    """
    if b"%PDF-" not in data[:_HEAD]:
        raise DataError("not a PDF file: it does not begin with `%PDF-`", kind="wrong_format")
    import pypdfium2
    import pypdfium2.raw as raw

    is_whole = any(mark in data[-_TAIL:] for mark in (b"%%EOF", b"startxref"))
    try:
        opened = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code in {_PASSWORD, _SECURITY}:
            raise DataError("the file is encrypted with a password", kind="encrypted") from None
        if not is_whole:
            raise DataError("the file ends before its table of objects", kind="truncated") from None
        raise DataError("not a readable PDF file: its objects cannot be found", kind="unreadable") from None
    with closing(opened) as document:
        if not is_whole:
            raise DataError("the file ends before its table of objects", kind="truncated")
        return _reading(document, data, raw)


def _reading(document: Any, data: bytes, raw: Any) -> Reading:
    count = len(document)
    if count > MAX_PAGES:
        raise DataError(f"the file has {count:,} pages, more than {MAX_PAGES:,}", kind="too_large")
    pages, heights, empty, unread = _pages(document, raw)
    if not any(pages):
        if unread == count:
            raise DataError("no page of the file can be read", kind="unreadable")
        raise DataError(f"none of the {count} pages has a text layer: the file is likely a scan", kind="no_text_layer")
    removed = furniture(pages, heights)
    lines = [line for page, lines in enumerate(pages) for at, line in enumerate(lines) if (page, at) not in removed]
    text = "\n\n".join(text for text in paragraphs(lines) if text.strip())
    if not text:
        raise DataError("the pages have no text besides headers and page numbers", kind="no_text_layer")
    license, license_source = license_of(data) or (None, None)
    stated = document.get_metadata_dict()
    return Reading(
        text=text,
        title=_stated_title(stated.get("Title", "")) or _largest(lines),
        created=_date(stated.get("CreationDate", "")),
        language=_language(document, raw),
        producer=_clean(stated.get("Producer", "")),
        license=license,
        license_source=license_source,
        pages=count,
        pages_without_text=empty,
    )


def _pages(document: Any, raw: Any) -> tuple[list[list[Line]], list[tuple[float, float]], int, int]:
    """Return the lines of each page, its edges, the number of pages without text, and that of unreadable pages."""
    pieces: list[list[Piece]] = []
    boxes: list[tuple[float, float] | None] = []
    empty = unread = characters = 0
    for index in range(len(document)):
        found: list[Piece] = []
        box: tuple[float, float] | None = (0.0, 0.0)
        with _text_page(document, index) as opened:
            if opened is None:
                unread += 1
                empty += 1
            else:
                page, text = opened
                glyphs = glyphs_of(text, raw)
                found = pieces_of(glyphs)
                is_turned = bool(glyphs and glyphs[0].angle)
                box = None if is_turned else _edges(page)
                is_blank = not glyphs and raw.FPDFPage_CountObjects(page) == 0
                empty += not glyphs and not is_blank
                characters += len(glyphs)
        if characters > MAX_CHARACTERS:
            raise DataError(f"the file has more than {MAX_CHARACTERS:,} characters", kind="too_large")
        pieces.append(found)
        boxes.append(box)
    pages: list[list[Line]] = []
    number = 0
    pieces = without_line_numbers(pieces)
    common = common_gutter(pieces)
    for index, found in enumerate(pieces):
        lines: list[Line] = []
        for block in blocks(found, common=common):
            lines += lines_of(block, page=index, number=number)
            number += 1
        pages.append(lines)
    heights = [_turned_edges(lines) if box is None else box for lines, box in zip(pages, boxes, strict=True)]
    return pages, heights, empty, unread


@contextmanager
def _text_page(document: Any, index: int) -> Iterator[tuple[Any, Any] | None]:
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
        text = page.get_textpage()
    except PdfiumError:
        yield None
        return
    try:
        yield page, text
    finally:
        text.close()
        page.close()


def _edges(page: Any) -> tuple[float, float]:
    _, bottom, _, top = page.get_cropbox()
    return float(bottom), float(top)


def _turned_edges(lines: list[Line]) -> tuple[float, float]:
    """Return the edges of a page whose text was turned: those of the text, with a margin."""
    return (min(line.y for line in lines) - 30, max(line.y for line in lines) + 30) if lines else (0.0, 0.0)


def _language(document: Any, raw: Any) -> str:
    size = raw.FPDFCatalog_GetLanguage(document, None, 0)
    if not 2 < size < 200:
        return ""
    import ctypes

    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    raw.FPDFCatalog_GetLanguage(document, buffer, size)
    return bytes(buffer).decode("utf-16-le", "ignore").strip("\0 ")


def _clean(text: str) -> str:
    return " ".join("".join(character for character in text if character.isprintable() or character.isspace()).split())


def _stated_title(text: str) -> str | None:
    """Return the title of the metadata if it is likely one.

    >>> _stated_title("Microsoft Word - Draft 3.doc"), _stated_title("paper_final"), _stated_title("On Rivers")
    (None, None, 'On Rivers')
    """
    title = _clean(text)
    return None if len(title) < 4 or _NO_TITLE.fullmatch(title) else title


def _largest(lines: list[Line]) -> str | None:
    """Return the lines with the largest letters of the first page that has text."""
    first = [line for line in lines if line.page == lines[0].page and len(line.text) > 3] if lines else []
    if not first:
        return None
    size = max(line.size for line in first)
    if size <= min(line.size for line in lines) + 0.5:
        return None
    start = next(index for index, line in enumerate(first) if line.size > size - 0.5)
    title: list[str] = []
    for line in first[start : start + 5]:
        if line.size <= size - 0.5:
            break
        title.append(line.text)
    return _clean(" ".join(title))[:500] or None


def _date(text: str) -> str | None:
    """Return a date of PDF in the form of ISO 8601, in UTC.

    >>> _date("D:20180412093000+02'00'"), _date("D:2018"), _date("yesterday")
    ('2018-04-12T07:30:00+00:00', '2018-01-01T00:00:00+00:00', None)
    """
    match = _DATE.match(text.strip())
    if not match:
        return None
    year, month, day, hour, minute, second = (int(value) if value else None for value in match.groups()[:6])
    offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0)) * (-1 if match[7] == "-" else 1)
    try:
        moment = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=timezone(offset))
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return None
