"""Characters of the fonts Symbol and Wingdings, whose codes are not those of Unicode."""

from __future__ import annotations

from typing import Final

_GREEK: Final = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
_SMALL_GREEK: Final = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
_SYMBOL: Final = (
    dict(zip(range(0x41, 0x5B), _GREEK, strict=True))
    | dict(zip(range(0x61, 0x7B), _SMALL_GREEK, strict=True))
    | dict(zip(range(0xA2, 0xBD), "′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…", strict=True))
    | dict(zip(range(0xC0, 0xE0), "ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓", strict=True))
    | {0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2A: "∗", 0x2D: "−", 0x40: "≅", 0x5C: "∴", 0x5E: "⊥", 0xE5: "∑", 0xF2: "∫"}
)
_WINGDINGS: Final = {
    0x4A: "☺", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0xA7: "▪", 0xA8: "◻", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑",
    0xE2: "↓", 0xE8: "➔", 0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_PRIVATE: Final = range(0xF000, 0xF100)


def symbol(code: int, font: str) -> str:
    """Return the character that *font* shows for *code*; empty if that is unknown.

    >>> symbol(0xF061, "Symbol"), symbol(0xFC, "Wingdings"), symbol(0x2610, "MS Gothic"), symbol(0xF041, "Webdings")
    ('α', '✓', '☐', '')
    """
    name = font.casefold()
    table = _SYMBOL if name == "symbol" else _WINGDINGS if name == "wingdings" else None
    if table is not None and (code in _PRIVATE or code < 0x100):
        return table.get(code & 0xFF, chr(code) if 0x20 <= code < 0x7F else "")
    is_unicode = 0x20 <= code < 0xD800 or 0xF900 <= code <= 0xFFFD or 0x10000 <= code < 0xF0000
    return chr(code) if is_unicode else ""


def translated(text: str, font: str) -> str:
    """Return *text* with the private characters that stand for those of a symbol *font* replaced."""
    if font.casefold() not in {"symbol", "wingdings"}:
        return text
    return "".join(symbol(ord(letter), font) if ord(letter) in _PRIVATE else letter for letter in text)
