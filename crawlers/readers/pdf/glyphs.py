"""Read the characters of a page and their places, and join them to pieces of lines."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Final

from corpusmill.schemas.errors import DataError

LIGATURES: Final = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"} | {
    "\x0b": "ff", "\x0c": "fi", "\x0d": "fl", "\x0e": "ffi", "\x0f": "ffl"
}  # fmt: skip
"""The presentation forms, and the codes of ligatures in fonts of TeX without a map to Unicode."""
HYPHENS: Final = "\x02\ufffe\xad\u2010-"
"""A hyphen at the end of a line; the library writes one that it recognizes as U+0002 or U+FFFE."""
MAX_PAGE_CHARACTERS: Final = 200_000
_ACCENTS: Final = {"¨": "\u0308", "´": "\u0301", "`": "\u0300", "ˆ": "\u0302", "˜": "\u0303", "ˇ": "\u030c",
                   "˚": "\u030a", "¸": "\u0327"}  # fmt: skip
_SPACE_EM: Final = 0.17
"""A wider gap is a space. TeX shrinks spaces to about 0.2 em."""
_BREAK_EM: Final = 0.7
"""A wider gap ends a piece, because it can be a gutter."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character; `x0` to `x1` is its advance, `y` its baseline (upward), in points, on a page turned to be level."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    angle: int
    after_space: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line without a wide gap."""

    text: str
    x0: float
    x1: float
    y: float
    size: float

    @property
    def top(self) -> float:
        """The upper edge of capitals."""
        return self.y + 0.75 * self.size

    @property
    def bottom(self) -> float:
        """The lower edge of descenders."""
        return self.y - 0.22 * self.size


def glyphs_of(page: Any, raw: Any) -> list[Glyph]:
    """Return the characters of the text page *page* in the order of its content, each once.

    Characters at another angle than most of the page (a stamp on the margin) and repeated characters (a shadow, bold
    by double printing) are left out.

    Raises:
        DataError: ``too_large``: the page has more than `MAX_PAGE_CHARACTERS`.
    """
    page = page.raw  # the wrapper is slow to pass
    found: list[Glyph] = []
    box, matrix = raw.FS_RECTF(), raw.FS_MATRIX()
    x, y = ctypes.c_double(), ctypes.c_double()
    space = False
    count = raw.FPDFText_CountChars(page)
    if count > MAX_PAGE_CHARACTERS:
        raise DataError(f"a page has more than {MAX_PAGE_CHARACTERS:,} characters", kind="too_large")
    for index in range(count):
        code = raw.FPDFText_GetUnicode(page, index)
        generated = raw.FPDFText_IsGenerated(page, index) == 1
        if code in {0x20, 0xA0, 0x09} or (generated and code in {0x0A, 0x0D}) or code == 0:
            space = True
            continue
        raw.FPDFText_GetLooseCharBox(page, index, box)
        raw.FPDFText_GetCharOrigin(page, index, x, y)
        raw.FPDFText_GetMatrix(page, index, matrix)
        size = raw.FPDFText_GetFontSize(page, index) * math.hypot(matrix.c, matrix.d)
        angle = round(math.degrees(math.atan2(matrix.b, matrix.a))) % 360
        if size <= 0 or not 0 < code < 0x110000 or 0xD800 <= code < 0xE000:
            continue
        text = LIGATURES.get(chr(code), chr(code))
        if code == 0x0F and (space or not found or not found[-1].text.isalpha()):
            text = "•"  # in the symbol font of TeX; in its text fonts, a ligature that begins no word
        edges = (box.left, box.right, box.bottom, box.top)
        start, end, baseline = _upright(edges, x.value, y.value, angle)
        found.append(Glyph(text, start, max(start, end), baseline, size, angle, space))
        space = False
    return _once(_main_direction(found))


def _upright(edges: tuple[float, float, float, float], x: float, y: float, angle: int) -> tuple[float, float, float]:
    """Return start, end and baseline of a character on a page turned so that its text is level."""
    left, right, bottom, top = edges
    if angle == 90:
        return bottom, top, -x
    if angle == 180:
        return -right, -left, -y
    if angle == 270:
        return -top, -bottom, x
    return left, right, y


def _main_direction(glyphs: list[Glyph]) -> list[Glyph]:
    angles = Counter(glyph.angle for glyph in glyphs)
    if not angles:
        return []
    main = max(sorted(angles), key=lambda angle: angles[angle])
    return [glyph for glyph in glyphs if glyph.angle == main]


def _once(glyphs: list[Glyph]) -> list[Glyph]:
    """Leave out a character that is printed again at nearly the same place.

    Letters of one ligature share a place, too: the library resolves "ff" to twice the same letter.
    """
    seen: dict[tuple[str, int, int], tuple[float, float]] = {}
    kept: list[Glyph] = []
    owes_space = False
    for glyph in glyphs:
        limit = 0.12 * glyph.size
        columns = {int((glyph.x0 - limit) // 4), int((glyph.x0 + limit) // 4)}
        rows = {int((glyph.y - limit) // 4), int((glyph.y + limit) // 4)}
        near = [seen.get((glyph.text, column, row)) for column in columns for row in rows]
        is_ligature = bool(kept) and glyph.text in "ft" and (kept[-1].text, kept[-1].x0) == (glyph.text, glyph.x0)
        if not is_ligature and any(
            at and abs(at[0] - glyph.x0) < limit and abs(at[1] - glyph.y) < limit for at in near
        ):
            owes_space |= glyph.after_space
            continue
        seen[glyph.text, int(glyph.x0 // 4), int(glyph.y // 4)] = (glyph.x0, glyph.y)
        kept.append(replace(glyph, after_space=True) if owes_space and not glyph.after_space else glyph)
        owes_space = False
    return kept


def pieces_of(glyphs: list[Glyph]) -> list[Piece]:
    """Join *glyphs* that follow each other on a line without a wide gap."""
    found: list[Piece] = []
    run: list[Glyph] = []
    for glyph in glyphs:
        if run and not _continues(run[-1], glyph, run):
            found.append(_piece(run))
            run = []
        run.append(glyph)
    if run:
        found.append(_piece(run))
    return [piece for piece in found if piece.text.strip()]


def _continues(last: Glyph, glyph: Glyph, run: list[Glyph]) -> bool:
    size = max(glyph.size, last.size)
    gap = glyph.x0 - last.x1
    is_level = abs(glyph.y - last.y) < 0.1 * size or abs(glyph.y - run[0].y) < 0.5 * max(size, run[0].size)
    return is_level and glyph.x0 - last.x0 > -0.5 * size and gap < _BREAK_EM * size


def _piece(run: list[Glyph]) -> Piece:
    sizes = Counter(round(glyph.size, 1) for glyph in run for _ in glyph.text)
    size = max(sorted(sizes), key=lambda value: sizes[value])
    body = [glyph for glyph in run if abs(glyph.size - size) < 0.5] or run
    baseline = sorted(glyph.y for glyph in body)[len(body) // 2]
    text = ""
    last: Glyph | None = None
    index = 0
    while index < len(run):
        glyph = run[index]
        raised = glyph.size < 0.85 * size and glyph.y > baseline + 0.15 * size
        end = index + 1
        while raised and end < len(run) and run[end].size < 0.85 * size and run[end].y > baseline + 0.15 * size:
            end += 1
        piece = "".join(glyph.text for glyph in run[index:end])
        if last is not None and _has_space(last, glyph):
            text += " "
        if raised:
            text += superscript(piece, after=text)
        elif piece in _ACCENTS and end < len(run) and run[end].x0 < glyph.x1 - 0.1 * size:
            text += run[end].text[:1] + _ACCENTS[piece] + run[end].text[1:]
            end += 1
        else:
            text += piece
        last = run[end - 1]
        index = end
    return Piece(text, run[0].x0, max(glyph.x1 for glyph in run), baseline, size)


def _has_space(last: Glyph, glyph: Glyph) -> bool:
    gap = (glyph.x0 - last.x1) / max(glyph.size, last.size)
    return gap > _SPACE_EM or (glyph.after_space and gap > 0.05)


_RAISED: Final = str.maketrans("0123456789+-−()nij", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿⁱʲ")
_MARKS: Final = frozenset("*∗†‡§¶‖,; ")


def superscript(text: str, *, after: str) -> str:
    """Return raised *text* as it stands after the text *after*: nothing for the mark of a footnote.

    >>> superscript("2", after="an area of 5 m"), superscript("-5", after="10"), superscript("3", after="the method")
    ('²', '⁻⁵', '')
    >>> superscript("th", after="the 19"), superscript("12", after="as shown."), superscript("1", after="")
    ('th', '', '1 ')
    """
    if not after.strip():
        return text + " "
    word = after.split()[-1]
    is_mark = all(character in _MARKS for character in text)
    is_number = all(character.isdigit() or character in _MARKS for character in text)
    letters = "".join(character for character in word if character.isalpha())
    ends_sentence = word[-1] in ".,;:!?)”\"’'»" and not word[:1].isdigit() and len(letters) > 1
    if is_mark or (is_number and (ends_sentence or (len(letters) > 2 and word[-1].isalpha()))):
        return ""
    raised = text.translate(_RAISED)
    return raised if all(character in "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱʲ" for character in raised) else text
