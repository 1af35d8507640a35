"""What volunteers of Project Gutenberg add at the beginning and the end of a book: credits, notes, bookmarks."""

from __future__ import annotations

import re
from typing import Final

_MADE: Final = (
    "produced|prepared|transcribed|scanned|entered|typed|proofread|proofed|digiti[sz]ed|created|converted|compiled"
    "|contributed|submitted|provided|posted|marked up|formatted|OCRed"
)
_FILE: Final = "e-?text|e-?book|html version|electronic (?:version|edition|text)|text file|file|digital text|plain text"
_MADE_BY: Final = re.compile(rf"\A\W{{0,4}}(?:{_MADE})(?:,? (?:and |& )?\w+(?:ed|ing))* (?:by|from)\b:?", re.IGNORECASE)
_THANKS: Final = re.compile(r"\A\W{0,4}(?:many |special )?thanks to\b", re.IGNORECASE)
_CREDITS: Final = (
    rf"[\[(]?(?:this |the )?(?:project gutenberg )?(?:{_FILE}) (?:was |were |is )?(?:first )?(?:{_MADE})\b",
    r"\(?this book was (?:produced|made|created|prepared|scanned) from\b",
    r"(?:scanning|proof-?reading|ocr|html|e-?text|transcription)(?: and [\w-]+)? (?:done |courtesy )?(?:by|of)\b",
    r"the internet wiretap\b|(?:the )?online distributed proof|distributed proofreading",
    r"images (?:of the original|courtesy)\b",
    r"(?:note: )?project gutenberg (?:also )?has\b|(?:the )?project gutenberg(?:'s)? (?:e-?text|e-?book|edition)",
    r"note: (?:images|there is)\b|html version|updated editions will",
    r"(?:https?://|www\.)\S+\s*\Z|[\w.+-]+@[\w.-]+\.\w+\s*\Z|e-?mail\b.{0,60}@|credits?:",
    rf"this (?:{_FILE}) is in [A-Z]\w+\.|we are releasing two versions of this e-?text",
    r"this book content was graciously contributed|dieses buch wurde uns freundlicherweise",
    r"this is the [78]-bit version|this text (?:has been derived from|was originally produced in) html",
    r"project runeberg publishes|projekt gutenberg",
)
_CREDIT: Final = re.compile(rf"\A\W{{0,4}}(?:{'|'.join(_CREDITS)})", re.IGNORECASE)
_OF_PROJECT: Final = re.compile(
    r"proof|pgdp|gutenberg|@|https?:|e-?text|e-?book|\bscan|archive|volunteer|html|\bimages\b", re.IGNORECASE
)
_NAMES: Final = re.compile(
    r"(?:\W*+(?:[A-Z0-9][\w.'’-]*+|(?:and|the|of|by|with|for|an?|at|de|van|von|der|la|du|da)\b))++\W*+\Z"
)
_NOTE: Final = re.compile(
    r"\A\W{0,6}(?:transcri(?:ber|ption|ptor|pteur)(?:['’]?s['’]?)?|e-?text|transcriber['’]s)\W{1,3}(?:end)?notes?\b"
    r"|\A\W{0,6}(?:note\W{1,3}(?:au lecteur de ce fichier|d[eu] (?:la )?transcript|sur la transcript)"
    r"|notes? de transcription|notas? (?:del? )?(?:la )?transcri|not[ae] (?:del trascrittore|di trascrizione)"
    r"|anmerkung(?:en)? zur transkription|opmerkingen van de bewerker|transcriberaantekening"
    r"|transkri(?:ptions|berarens )(?:anmerkung|kommentar|not))",
    re.IGNORECASE,
)
"""The beginning of a note of a transcriber, in seven languages."""
_BOOKMARKS: Final = re.compile(r"\A\W{0,3}(?:e-?text|pg) editor['’]s bookmarks\b", re.IGNORECASE)
_ABOUT_EDITION: Final = re.compile(
    r"transcri|original|spell|punctuat|typograph|italic|\bbold\b|footnote|hyphen|correct|retained|preserved|changed"
    r"|enclosed|underscore|obvious|errors?\b|replaced|moved|\bthis (?:text|edition|e-?text|e-?book|file)\b|inconsisten"
    r"|silently|public domain|erreurs|orthograph|ponctuation|fehler|schreibweise|zeichensetzung|errores|ortograf",
    re.IGNORECASE,
)
_BEGINS_BOOK: Final = re.compile(
    r"\A\s*(?:chapter|book|part|act|scene|canto|letter|preface|prologue|introduction)\b[^\n]{0,40}\Z", re.IGNORECASE
)
_BLANK: Final = re.compile(r"\n(?:[ \t]*\n)+")
_BOX: Final = re.compile(r"[+|*=\-_\s]+")
_ONLY_HEADING: Final = 40
_FIRST_PARAGRAPHS: Final = 40
"""Paragraphs at the beginning among which additions are looked for: title pages are longer than one expects."""
_LAST_PARAGRAPHS: Final = 80
"""Paragraphs at the end; a list of corrections can be long."""
_MAX_CREDIT_CHARACTERS: Final = 700
_MAX_NOTE_CHARACTERS: Final = 1_500
"""A longer paragraph is not taken for the continuation of a note."""
_PROSE: Final = 400
"""Characters of a paragraph from which on the book has begun."""


def without_additions(body: str, *, keep_notes: bool) -> str:
    """Return *body* without the credits at its beginning and end, and without notes of transcribers."""
    body = body.strip("\n \t")
    paragraphs = [part.strip("\n") for part in _BLANK.split(body)]
    gaps = [gap.count("\n") for gap in _BLANK.findall(body)]
    added: set[int] = set()
    for index in (*_first(paragraphs), *range(max(0, len(paragraphs) - _LAST_PARAGRAPHS), len(paragraphs))):
        part = paragraphs[index].strip()
        if is_credit(part):
            added.add(index)
        elif not keep_notes and _NOTE.match(_BOX.sub(" ", part, count=1)):
            added.update(range(index, _end_of_note(paragraphs, gaps, index)))
        elif _BOOKMARKS.match(part):
            added.update(range(index, _end_of_group(gaps, index + 1)))
    lines: list[str] = []
    for index, part in enumerate(paragraphs):
        if index not in added and part:
            lines.append(("\n" * min(gaps[index - 1], 3) if lines and index else "") + part)
    return "".join(lines)


def is_credit(paragraph: str) -> bool:
    """Return whether *paragraph* says who made the file.

    >>> is_credit('Produced by "Ann" and B. Lee.'), is_credit("Produced by long toil, the cloth was fine.")
    (True, False)
    """
    if len(paragraph) > _MAX_CREDIT_CHARACTERS:
        return False
    if made := _MADE_BY.match(paragraph):
        return (_OF_PROJECT.search(paragraph) or _NAMES.match(paragraph, made.end())) is not None
    if _THANKS.match(paragraph):
        return _OF_PROJECT.search(paragraph) is not None
    return _CREDIT.match(paragraph) is not None


def _first(paragraphs: list[str]) -> range:
    """Return the paragraphs at the beginning, up to the first chapter or the first long paragraph of prose."""
    for index, part in enumerate(paragraphs[:_FIRST_PARAGRAPHS]):
        is_prose = len(part) >= _PROSE and not is_credit(part.strip()) and not _ABOUT_EDITION.search(part)
        if is_prose or _BEGINS_BOOK.match(part):
            return range(index)
    return range(min(_FIRST_PARAGRAPHS, len(paragraphs)))


def _end_of_note(paragraphs: list[str], gaps: list[int], start: int) -> int:
    """Return the paragraph after the note that begins at *start*.

    A note in brackets ends with them. Another one continues in each paragraph that is about the edition, or that is
    indented as the one before and follows after a single empty line. After a heading, one paragraph belongs to it.
    """
    first = paragraphs[start].strip()
    if first.startswith(("[", "{")):
        depth = 0
        for index in range(start, min(start + _FIRST_PARAGRAPHS, len(paragraphs))):
            depth += sum(paragraphs[index].count(sign) for sign in "[{")
            depth -= sum(paragraphs[index].count(sign) for sign in "]}")
            if depth <= 0:
                return index + 1
        return start + 1
    if first.startswith(("+", "|")):
        return start + 1
    end = start + 1
    if len(first) <= _ONLY_HEADING and end < len(paragraphs):
        end += 1
    while end < len(paragraphs) and len(paragraphs[end]) <= _MAX_NOTE_CHARACTERS:
        part, before = paragraphs[end], paragraphs[end - 1]
        is_indented = part.startswith("  ") and before.startswith("  ") and gaps[end - 1] == 2 and end > start + 1
        if not is_indented and not (gaps[end - 1] <= 3 and _ABOUT_EDITION.search(part)):
            break
        end += 1
    return end


def _end_of_group(gaps: list[int], index: int) -> int:
    """Return the paragraph after the one at *index* and those that follow it after single empty lines."""
    while index < len(gaps) and gaps[index] == 2:
        index += 1
    return index + 1
