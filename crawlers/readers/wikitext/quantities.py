"""Templates of numbers: {{val}}, fractions, currencies, coordinates, and {{convert}} in the style of the language."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.crawlers.readers.wikitext.arguments import Arguments
from corpusmill.crawlers.readers.wikitext.conversions import Style, converted
from corpusmill.crawlers.readers.wikitext.expressions import evaluated
from corpusmill.crawlers.readers.wikitext.numbers import APART, MINUS, number, roman, rounded, subscript, superscript
from corpusmill.crawlers.readers.wikitext.page import Page
from corpusmill.crawlers.readers.wikitext.spelling import spelled

_NUMBER: Final = re.compile(r"\d[\d.,]*")
_SCIENTIFIC: Final = re.compile(r"([-+\u2212]?[\d.,]+)[eE]\+?([-\u2212]?\d{1,3})")
_DIRECTIONS: Final = frozenset("NSEWO")


def _style(page: Page) -> Style:
    language = page.language
    has_names = language.code in {"en", "simple"}
    return Style(language.thousands, language.decimal, language.at_least, has_names)


def convert(arguments: Arguments, page: Page) -> str:
    """Return a quantity and its conversion."""
    return converted(arguments, style=_style(page))


def cvt(arguments: Arguments, page: Page) -> str:
    """Return a quantity and its conversion, with the symbols of units."""
    return converted(arguments, style=_style(page), is_short=True)


def height(arguments: Arguments, page: Page) -> str:
    """Return a person's height, in metres and in feet and inches."""
    if metres := arguments.get("m"):
        return converted(Arguments([metres, "m", "ftin", "abbr=on"]), style=_style(page))
    if centimetres := arguments.get("cm"):
        return converted(Arguments([centimetres, "cm", "ftin", "abbr=on"]), style=_style(page))
    feet, inches = arguments.get("ft", ""), arguments.get("in") or "0"
    return converted(Arguments([feet, "ft", inches, "in", "m", "2", "abbr=on"]), style=_style(page)) if feet else ""


def formatnum(arguments: Arguments, page: Page) -> str:
    """Return a number with separators."""
    text = arguments.get("1", "")
    return page.language.grouped(text.replace(",", "")) if number(text) is not None else text


def val(arguments: Arguments, page: Page) -> str:
    """Return {{val|1234.5|0.2|e=6|u=m/s}} as "1,234.5±0.2×10⁶ m/s"."""
    values = [arguments.get(str(place), "") for place in (1, 2, 3)]
    power = arguments.get("e", "")
    if not power and (scientific := _SCIENTIFIC.fullmatch(values[0])) is not None:
        values[0], power = scientific[1], scientific[2]
    shown = [page.language.grouped(value) if number(value) is not None else value for value in values]
    text = shown[0]
    if values[1] in {"-", "–", "to", "by", "and", "or"} and values[2]:
        text += "–".join(("", shown[2])) if values[1] in {"-", "–"} else f" {values[1]} {shown[2]}"
    elif values[1].startswith("+") or values[2]:
        text += f" +{shown[1].lstrip('+')} {MINUS}{shown[2].lstrip('-' + MINUS)}" if values[2] else shown[1]
    elif values[1]:
        text += f"±{shown[1]}" if values[1][:1].isdigit() else shown[1]
    if end := arguments.get("end"):
        text += end
    if power:
        text += f"×10{superscript(power)}"
    unit = arguments.first("ul", "u")
    unit = _unit(unit)
    if per := arguments.first("upl", "up"):
        unit += f"/{_unit(per)}"
    text = arguments.get("p", "") + text + arguments.get("s", "")
    joint = "" if not unit or (unit[0] in "%°′″" and unit not in {"°C", "°F"}) else " "
    return f"{text}{joint}{unit}"


def _unit(text: str) -> str:
    return re.sub(r"(?<=[a-zA-Z])([-\u2212]?\d)\b", lambda match: superscript(match[1]), text)


def exponent(arguments: Arguments, page: Page) -> str:
    """Return ×10 with an exponent."""
    return f"×10{superscript(arguments.get('1', ''))}"


def power_of_ten(arguments: Arguments, page: Page) -> str:
    """Return 10 with an exponent."""
    return f"10{superscript(arguments.get('1', ''))}"


def in_words(arguments: Arguments, page: Page) -> str:
    """Return a number in English words."""
    return spelled(arguments.get("1", ""))


def fraction(arguments: Arguments, page: Page) -> str:
    """Return "1/2" or "3 1/2"."""
    values = [value for value in arguments.numbered()[:3] if value]
    if len(values) == 3:
        return f"{values[0]} {values[1]}/{values[2]}"
    is_denominator = len(values) == 1 and values[0].isdecimal()
    return APART + "/".join(["1", *values] if is_denominator else values) if values else ""


def sup(arguments: Arguments, page: Page) -> str:
    """Return a raised text."""
    return superscript(arguments.get("1", ""))


def sub(arguments: Arguments, page: Page) -> str:
    """Return a lowered text."""
    return subscript(arguments.get("1", ""))


def sub_sup(arguments: Arguments, page: Page) -> str:
    """Return a lowered and a raised text, {{su|p=…|b=…}}."""
    return subscript(arguments.get("b", "")) + superscript(arguments.get("p", ""))


def chem(arguments: Arguments, page: Page) -> str:
    """Return a formula from its elements and numbers: {{chem|H|2|O}}."""
    return "".join(
        superscript(value) if re.search(r"[+-]$", value) and place else subscript(value)
        for place, value in enumerate(arguments.numbered())
    )


def chem_as_written(arguments: Arguments, page: Page) -> str:
    """Return a formula with its numbers lowered: {{chem2|H2O}}."""
    return re.sub(r"(?<=[A-Za-z)\]])\d+", lambda match: subscript(match[0]), arguments.get("1", ""))


def chem_formula(arguments: Arguments, page: Page) -> str:
    """Return a formula from its elements as names: {{chemical formula|C=2|H=6}}."""
    return "".join(
        name + (subscript(value) if value != "1" else "") for name, value in arguments.items() if name.isalpha()
    )


def nuclide(arguments: Arguments, page: Page) -> str:
    """Return the symbol of a nuclide."""
    first, second = arguments.get("1", ""), arguments.get("2", "")
    return f"{superscript(second)}{first.capitalize()}" if second.isdecimal() else superscript(first) + second


def coord(arguments: Arguments, page: Page) -> str:
    """Return coordinates that stand in the text; those of the page's title are left out."""
    display = arguments.get("display", "inline")
    if "inline" not in display and display[:1] != "i":
        return ""
    pieces: list[str] = []
    current: list[str] = []
    positional = [value for value in arguments.numbered() if ":" not in value][:8]
    if len(positional) == 2 and all(number(value) is not None for value in positional):
        return ", ".join(f"{value.replace('-', MINUS)}°" for value in positional)
    for value in positional:
        if value.upper() in _DIRECTIONS:
            pieces.append("".join(f"{part}{mark}" for part, mark in zip(current, "°′″", strict=False)) + value.upper())
            current = []
        elif number(value) is not None:
            current.append(value)
    return " ".join(pieces)


def currency_us(arguments: Arguments, page: Page) -> str:
    """Return an amount in US dollars."""
    return f"US${_amount(arguments.get('1', ''), page)}"


def currency_inr(arguments: Arguments, page: Page) -> str:
    """Return an amount in Indian rupees."""
    scale = {"k": " thousand", "l": " lakh", "m": " million", "c": " crore", "b": " billion", "lc": " lakh crore"}
    return f"₹{_amount(arguments.get('1', ''), page)}{scale.get(arguments.get('2', ''), '')}"


def currency_gbp(arguments: Arguments, page: Page) -> str:
    """Return an amount in pounds."""
    return f"£{_amount(arguments.get('1', ''), page)}"


_SIGNS: Final = {
    "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "CNY": "CN¥", "AUD": "A$", "CAD": "CA$",
    "NZD": "NZ$", "HKD": "HK$", "SGD": "S$", "KRW": "₩", "RUB": "₽", "BRL": "R$", "MXN": "Mex$", "CHF": "CHF ",
    "ILS": "₪", "TRY": "₺", "UAH": "₴", "PHP": "₱", "NGN": "₦", "THB": "฿", "VND": "₫", "ZAR": "R",
    "PLN": "zł ", "SEK": "SEK ", "NOK": "NOK ", "DKK": "DKK ",
}  # fmt: skip


def currency(arguments: Arguments, page: Page) -> str:
    """Return an amount with the sign of a currency."""
    code = arguments.first("2", default="USD").upper()
    return f"{_SIGNS.get(code, code + ' ')}{_amount(arguments.get('1', ''), page)}"


def _amount(text: str, page: Page) -> str:
    return page.language.grouped(text) if re.fullmatch(r"\d+(\.\d+)?", text) else text


def ordinal(arguments: Arguments, page: Page) -> str:
    """Return a number with its English ending."""
    text = arguments.get("1", "")
    if not text.isdecimal():
        return text
    is_teen = text[-2:] in {"11", "12", "13"}
    return text + ("th" if is_teen else {"1": "st", "2": "nd", "3": "rd"}.get(text[-1], "th"))


def roman_numeral(arguments: Arguments, page: Page) -> str:
    """Return a Roman numeral."""
    text = arguments.get("1", "")
    return roman(int(text)) if text.isdecimal() and len(text) < 6 else text


def percentage(arguments: Arguments, page: Page) -> str:
    """Return a share in percent."""
    value = evaluated(f"({arguments.get('1', '')}) / ({arguments.get('2', '')}) * 100")
    digits = arguments.get("3", "0")
    return "" if value is None else f"{rounded(value, int(digits) if digits.isdecimal() and len(digits) < 3 else 0)}%"


def choose(arguments: Arguments, page: Page) -> str:
    """Return a binomial coefficient."""
    return f"({arguments.get('1', '')} choose {arguments.get('2', '')})"
