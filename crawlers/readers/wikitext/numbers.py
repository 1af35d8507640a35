"""Numbers as templates write and read them: separators, fractions, superscripts, Roman numerals."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

MINUS: Final = "\u2212"
_NUMBER: Final = re.compile(r"[+\u2212-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_FRACTION: Final = re.compile(r"([+\u2212-]?)(?:(\d{1,15})(?:\s*\+\s*|\s+))?(\d{1,15})\s*[/\u2044]\s*(\d{1,15})")
_SUPERSCRIPTS: Final = str.maketrans("0123456789+-\u2212()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")
_SUBSCRIPTS: Final = str.maketrans("0123456789+-\u2212()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎")
_LETTERS: Final = {"i": "ⁱ", "j": "ʲ", "k": "ᵏ", "m": "ᵐ", "x": "ˣ", "y": "ʸ", "T": "ᵀ"}
"""Raised letters that are exponents; others, such as e and o, are mostly endings of ordinal numbers."""
_FORMULA: Final = re.compile(r"[-+\u2212]?\w+(?:\s*[-+\u2212*/·]\s*\w+)+|[-+\u2212]\w+")
_ROMAN: Final = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        "M CM D CD C XC L XL X IX V IV I".split(),
        strict=True,
    )
)
MAX_CHARACTERS: Final = 40
APART: Final = "\x06"
"""Stands before a fraction: a space if a digit precedes it (``3{{frac|1|2}}``), else nothing."""


def number(text: str) -> float | None:
    """Read *text*, with commas or spaces between thousands; None: it is no number.

    >>> number("1,234.5"), number("−80"), number("2e3"), number("3+1/2"), number("a")
    (1234.5, -80.0, 2000.0, 3.5, None)
    """
    text = text.replace(APART, " ").strip().replace(",", "").replace("\u00a0", "").replace("\u2009", "")
    if len(text) > MAX_CHARACTERS:
        return None
    if _NUMBER.fullmatch(text):
        return float(text.replace(MINUS, "-"))
    match = _FRACTION.fullmatch(text)
    if match is None or not int(match[4]):
        return None
    value = int(match[2] or 0) + int(match[3]) / int(match[4])
    return -value if match[1] in {"-", MINUS} else value


def grouped(text: str, *, thousands: str = ",", decimal: str = ".", at_least: int = 4) -> str:
    """Write the digits *text* with separators if the whole part has *at_least* digits.

    >>> grouped("-1234567.891"), grouped("1234", at_least=5), grouped("12345.6", thousands=".", decimal=",")
    ('−1,234,567.891', '1234', '12.345,6')
    """
    sign = ""
    if text[:1] in {"-", MINUS, "+"}:
        sign, text = "+" if text[0] == "+" else MINUS, text[1:]
    whole, point, rest = text.partition(".")
    if whole.isdecimal() and whole.isascii() and len(whole) >= at_least:
        whole = f"{int(whole[:15]):,}" if len(whole) <= 15 else _in_threes(whole)
        whole = whole.replace(",", thousands)
    return sign + whole + (decimal + rest if point else "")


def _in_threes(digits: str) -> str:
    first = len(digits) % 3
    groups = [digits[:first]] if first else []
    return ",".join(groups + [digits[place : place + 3] for place in range(first, len(digits), 3)])


def rounded(value: float, digits: int) -> str:
    """Write *value* with *digits* after the point; negative *digits* round to tens, hundreds, …

    >>> rounded(2092.1, -2), rounded(0.8047, 2), rounded(2.5, 0)
    ('2100', '0.80', '3')
    """
    digits = max(min(digits, 20), -30)
    exact = Decimal(f"{value:.15g}").quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return f"{exact:f}" if digits >= 0 else f"{exact.quantize(Decimal(1)):f}"


def superscript(text: str) -> str:
    """Return *text* with raised digits, or unchanged if it has others.

    >>> superscript("-3"), superscript("th")
    ('⁻³', 'th')
    """
    raised = text.translate(_SUPERSCRIPTS)
    return raised if len(text) < MAX_CHARACTERS and not any(map(raised.__contains__, text)) else text


def subscript(text: str) -> str:
    """Return *text* with lowered digits, or unchanged if it has others."""
    lowered = text.translate(_SUBSCRIPTS)
    return lowered if len(text) < MAX_CHARACTERS and not any(map(lowered.__contains__, text)) else text


def exponent_of(base: str, text: str) -> str:
    """Return the raised *text* behind *base*; formulas that have no raised characters, in parentheses.

    >>> exponent_of("2", "10"), exponent_of("2", "k+1"), exponent_of("4", "th"), exponent_of("x", "k")
    ('¹⁰', '^(k+1)', 'th', 'ᵏ')
    """
    raised = superscript(text)
    if raised != text or not _is_factor(base):
        return raised
    return f"^({text})" if _is_formula(text) else _LETTERS.get(text, text)


def index_of(base: str, text: str) -> str:
    """Return the lowered *text* behind *base*.

    >>> index_of("x", "0"), index_of("x", "n+1"), index_of("V", "max")
    ('₀', '_(n+1)', 'max')
    """
    lowered = subscript(text)
    return f"_({text})" if lowered == text and _is_factor(base) and _is_formula(text) else lowered


def _is_factor(base: str) -> bool:
    return base.isalnum() or base == ")"


def _is_formula(text: str) -> bool:
    """Return whether *text* has an operator between, or before, letters and digits."""
    return len(text) < MAX_CHARACTERS and _FORMULA.fullmatch(text) is not None


def roman(value: int) -> str:
    """Return *value* (1 to 3999) as a Roman numeral, or in digits beyond these.

    >>> roman(1987), roman(0)
    ('MCMLXXXVII', '0')
    """
    if not 0 < value < 4000:
        return str(value)
    numeral = ""
    for size, letters in _ROMAN:
        count, value = divmod(value, size)
        numeral += letters * count
    return numeral
