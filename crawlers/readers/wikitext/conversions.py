"""The template {{convert}}: quantities with their conversion, rounded as Wikipedia rounds them.

Default rounding, as Help:Convert describes it: the result is about as precise as the input, has at least two
significant digits (temperatures: three in kelvins), and both ends of a range have the precision of the finer one.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from corpusmill.crawlers.readers.wikitext.arguments import Arguments
from corpusmill.crawlers.readers.wikitext.numbers import APART, MINUS, grouped, number, rounded, superscript
from corpusmill.crawlers.readers.wikitext.spelling import spelled
from corpusmill.crawlers.readers.wikitext.units import Unit, unit_of

_RANGES: Final = {
    "-": ("–", "–"),
    "–": ("–", "–"),
    "—": ("–", "–"),
    "&ndash;": ("–", "–"),
    "to": (" to ", " to "),
    "to(-)": (" to ", "–"),
    "to-": (" to ", "–"),
    "and": (" and ", " and "),
    "and(-)": (" and ", "–"),
    "and-": (" and ", "–"),
    "or": (" or ", " or "),
    "by": (" by ", " by "),
    "by(x)": (" by ", " × "),
    "x": (" by ", " × "),
    "×": (" by ", " × "),
    "xx": (" × ", " × "),
    "*": (" × ", " × "),
    "+/-": (" ± ", " ± "),
    "±": (" ± ", " ± "),
    "+": (" + ", " + "),
    ",": (", ", ", "),
    ", and": (", and ", ", and "),
    ", or": (", or ", ", or "),
    "to about": (" to about ", " to about "),
    "to and": (" to and ", " to and "),
}
"""Words between the values of a range, with names and with symbols of units."""
_JOINTS: Final = {"or": " or ", "comma": ", ", "br": ", ", "slash": " / ", "/": " / ", "x": " "}
"""Between input and output, by `disp`; otherwise the output is in parentheses."""
_FRACTION: Final = re.compile(r"([+\u2212-]?)(?:(\d+)(?:\s*\+\s*|\s+))?(\d+)\s*/+\s*(\d+)")
_COMPOSITES: Final = {"ftin": ("ft", "in", 12), "stlb": ("st", "lb", 14), "lboz": ("lb", "oz", 16)}
_PAIRS: Final = {(large, small): ratio for large, small, ratio in _COMPOSITES.values()} | {
    ("yd", "ft"): 3,
    ("mi", "yd"): 1760,
    ("mi", "ft"): 5280,
}
_MAX_METRES_IN_INCHES: Final = 3
"""From here on, metres are converted to feet alone."""


class Style(NamedTuple):
    """How numbers and units are written in the language of the wiki."""

    thousands: str = ","
    decimal: str = "."
    at_least: int = 4
    has_names: bool = True
    """Whether the names of units are those of the language, English."""


class Quantity(NamedTuple):
    """The input: texts and values, the words between them, the unit, and a smaller unit with its value if any."""

    texts: tuple[str, ...]
    values: tuple[float, ...]
    words: tuple[str, ...]
    unit: Unit
    smaller: tuple[str, float, Unit] | None = None


def converted(arguments: Arguments, *, style: Style, is_short: bool = False) -> str:
    """Return the text of {{convert}}, or of {{cvt}} with *is_short*.

    >>> converted(Arguments(["10", "mi", "km"]), style=Style())
    '10 miles (16 km)'
    >>> converted(Arguments(["200", "-", "350", "g", "oz"]), style=Style())
    '200–350 grams (7.1–12.3 oz)'
    """
    positional = [value.replace(APART, " ").strip() for value in arguments.numbered()]
    quantity, rest = _quantity(positional)
    if quantity is None:
        return _unconverted(positional, style)
    outputs, digits = _outputs(quantity, rest)
    return _Writer(arguments, style, is_short=is_short).text(quantity, outputs, digits)


def _unconverted(positional: list[str], style: Style) -> str:
    """Return the numbers and the unit as they are written: the unit is unknown.

    >>> _unconverted(["5000", "to", "6000", "parrots", "km"], Style())
    '5,000 to 6,000 parrots'
    """
    shown = ""
    for place, value in enumerate(positional):
        if number(value) is not None:
            shown += grouped(value.replace(",", ""), thousands=style.thousands, decimal=style.decimal)
        elif place and value in _RANGES and number(positional[place - 1]) is not None:
            shown += _RANGES[value][0]
        else:
            return f"{shown} {value}".strip()
    return shown


def _quantity(positional: list[str]) -> tuple[Quantity | None, list[str]]:
    texts: list[str] = []
    values: list[float] = []
    words: list[str] = []
    place = 0
    while place < len(positional) and (value := number(positional[place])) is not None and len(values) < 20:
        texts.append(positional[place])
        values.append(value)
        place += 1
        if place + 1 < len(positional) and positional[place] in _RANGES and number(positional[place + 1]) is not None:
            words.append(positional[place])
            place += 1
        else:
            break
    unit = unit_of(positional[place]) if values and place < len(positional) else None
    if unit is None:
        return None, []
    rest = positional[place + 1 :]
    value = number(rest[0]) if len(rest) >= 2 else None
    smaller = unit_of(rest[1]) if value is not None else None
    if value is not None and smaller is not None and (unit.code, smaller.code) in _PAIRS:
        extra = math.copysign(value / _PAIRS[unit.code, smaller.code], values[-1])
        whole = (*values[:-1], values[-1] + extra)
        return Quantity(tuple(texts), whole, tuple(words), unit, (rest[0], value, smaller)), rest[2:]
    return Quantity(tuple(texts), tuple(values), tuple(words), unit), rest


def _outputs(quantity: Quantity, rest: list[str]) -> tuple[list[Unit | str], int | None]:
    """Return the units to convert to (a name of `_COMPOSITES`: two units), and the number of digits if it is set."""
    digits = next(
        (int(value) for value in rest if re.fullmatch(r"[+\u2212-]?\d{1,2}", value.replace(MINUS, "-"))), None
    )
    named = [value for value in rest if value and not re.fullmatch(r"[+\u2212-]?\d{1,2}", value)]
    default = "m" if quantity.smaller is not None and quantity.unit.code == "ft" else quantity.unit.default
    codes = named[0] if named else ("kg" if quantity.smaller and quantity.unit.code == "lb" else default)
    if not named and quantity.unit.multiple in {"e9", "e12"} and unit_of(quantity.unit.multiple + codes):
        codes = quantity.unit.multiple + codes
    whole = [codes] if codes in _COMPOSITES or unit_of(codes) else re.split(r"[\s+]+", codes)
    outputs: list[Unit | str] = []
    for code in whole:
        if code in _COMPOSITES:
            outputs.append(code)
        elif (unit := unit_of(code)) is not None and unit.code != quantity.unit.code:
            outputs.append(unit)
    return outputs, digits


def value_in(value: float, unit: Unit, output: Unit) -> float:
    """Return *value* of *unit* in the unit *output*."""
    if unit.is_inverse != output.is_inverse and value:
        return 1e-6 / (value * unit.factor) / output.factor * 1e6 if _is_consumption(unit, output) else math.nan
    return (value + unit.offset) * unit.factor / output.factor - output.offset


def _is_consumption(one: Unit, other: Unit) -> bool:
    return {one.code, other.code} <= {"L/100 km", "mpgus", "mpgimp", "km/L"}


def default_digits(text: str, value: float, unit: Unit, result: float, output: Unit) -> int:
    """Return the digits after the point that Wikipedia writes by default.

    Args:
        text: The input as written; its digits say how precise it is.
        value: The input, in *unit*.
        result: The absolute value of the output, in *output*.
    """
    if unit.is_temperature and output.is_temperature:
        kelvins = abs((value + unit.offset) * unit.factor)
        least = 2 if kelvins < 1e-8 else 2 - math.floor(math.log10(kelvins) + 1e-14)
        return max(math.floor(_precision(text)), least)
    if not value or result <= 0:
        return 0
    if output.has_full_precision and value == math.floor(value):
        adjust = -math.log10(unit.factor)
    else:
        adjust = math.log10(abs(value) / result)
    least = 1 - math.floor(math.log10(result) + 1e-14)
    return max(math.floor(_precision(text) + adjust + math.log10(2)), least)


def _precision(text: str) -> float:
    """Return the digits after the point of *text*; negative for zeros at the end of a whole number."""
    match = _FRACTION.fullmatch(text)
    if match is not None:
        return max(math.log10(int(match[4]) or 1), 1.0)
    mantissa, _, exponent = text.replace(",", "").lower().partition("e")
    whole, point, decimals = mantissa.partition(".")
    digits = len(decimals) if point else -(len(whole) - len(whole.rstrip("0")))
    return digits - int(exponent or 0)


class _Writer:
    def __init__(self, arguments: Arguments, style: Style, *, is_short: bool) -> None:
        self._style = style
        self._arguments = arguments
        abbreviation = arguments.first("abbr", default="on" if is_short else "")
        if not style.has_names:
            abbreviation = "on"
        self._abbreviation = abbreviation
        self._display = arguments.first("disp")
        self._is_turned = arguments.get("order") == "flip" or self._display == "flip"
        self._is_adjective = arguments.get("adj") in {"on", "mid", "pre"} or arguments.get("sing") == "on"
        self._is_american = arguments.get("sp", "").lower() == "us"

    def text(self, quantity: Quantity, outputs: list[Unit | str], digits: int | None) -> str:
        first = self._input(quantity, is_first=not self._is_turned)
        if self._display in {"out", "output only", "output number only", "number", "preunit"} and outputs:
            output = self._output(quantity, outputs[0], digits, is_first=self._display == "out")
            is_number = "number" in self._display
            return re.sub(r"[^\d.,–−]+$", "", output) if is_number else output
        others = [self._output(quantity, output, digits, is_first=self._is_turned) for output in outputs]
        others = [other for other in others if other]
        if not others:
            return first
        if self._display in {"tablecen", "table"}:
            return f"{first} ({'; '.join(others)})"
        if self._is_turned:
            first, others = others[0], [*others[1:], first]
        joint = _JOINTS.get(self._display)
        if joint is not None:
            return joint.join((first, *others))
        if self._display == "sqbr":
            return f"{first} [{'; '.join(others)}]"
        return f"{first} ({'; '.join(others)})"

    def _input(self, quantity: Quantity, *, is_first: bool) -> str:
        texts = [self._as_written(text) for text in quantity.texts]
        if (style := self._arguments.get("spell", "").lower()) in {"in", "on"}:
            texts = [spelled(text) for text in quantity.texts]
            if self._arguments["spell"] != style:
                texts[0] = texts[0].capitalize()
        if quantity.smaller is None:
            return self._with_unit(texts, quantity.words, quantity.values, quantity.unit, is_first=is_first)
        text, value, smaller = quantity.smaller
        whole = [*quantity.values[:-1], number(quantity.texts[-1]) or 0.0]
        large = self._with_unit(texts, quantity.words, whole, quantity.unit, is_first=is_first)
        small = self._with_unit([self._as_written(text)], (), [value], smaller, is_first=is_first)
        return f"{large}-{small}" if self._is_adjective and self._has_name(is_first, smaller) else f"{large} {small}"

    def _as_written(self, text: str) -> str:
        match = _FRACTION.fullmatch(text.strip())
        if match is not None:
            sign = MINUS if match[1] in {"-", MINUS} else ""
            whole = f"{match[2]} " if match[2] else ""
            return f"{sign}{whole}{match[3]}/{match[4]}"
        mantissa, e, exponent = text.lower().partition("e")
        plain = self._grouped(mantissa.replace(",", ""))
        if e:
            return f"{plain}×10{superscript(exponent.lstrip('+'))}"
        return plain

    def _grouped(self, text: str) -> str:
        if self._arguments.get("comma") == "off":
            return text.replace("-", MINUS)
        least = 5 if self._arguments.get("comma") == "5" else self._style.at_least
        return grouped(text, thousands=self._style.thousands, decimal=self._style.decimal, at_least=least)

    def _output(self, quantity: Quantity, output: Unit | str, digits: int | None, *, is_first: bool) -> str:
        if isinstance(output, str):
            return self._composite(quantity, output, digits, is_first=is_first)
        results = [value_in(value, quantity.unit, output) for value in quantity.values]
        if not all(math.isfinite(result) and abs(result) < 1e30 for result in results):
            return ""
        texts = self._rounded(quantity, results, output, digits)
        values = [number(text) or 0.0 for text in texts]
        shown = [self._grouped(text) for text in texts]
        return self._with_unit(shown, quantity.words, values, output, is_first=is_first)

    def _rounded(self, quantity: Quantity, results: list[float], output: Unit, digits: int | None) -> list[str]:
        arguments = self._arguments
        significant = arguments.get("sigfig", "")
        if significant.isdecimal() and 0 < int(significant) < 15:
            return [rounded(result, int(significant) - 1 - _order(result)) for result in results]
        if digits is not None:
            return [rounded(result, digits) for result in results]
        if (step := {"5": 5, "10": 10, "25": 25, "50": 50}.get(arguments.get("round", ""))) is not None:
            return [rounded(round(result / step) * step, 0) for result in results]
        texts = list(quantity.texts)
        if quantity.smaller is not None:
            texts[-1] = _whole_precision(quantity.smaller[0])
        choices = [
            default_digits(text, value, quantity.unit, abs(result), output)
            for text, value, result in zip(texts, quantity.values, results, strict=True)
        ]
        if quantity.smaller is not None:
            small = quantity.smaller[2]
            extra = math.floor(math.log10(output.factor / small.factor) + math.log10(2) + _precision(texts[-1]))
            choices[-1] = max(extra, 1 - _order(results[-1]))
        return [rounded(result, max(choices)) for result in results]

    def _composite(self, quantity: Quantity, name: str, digits: int | None, *, is_first: bool) -> str:
        """Return feet and inches, or the like; the smaller unit is rounded."""
        large_code, small_code, ratio = _COMPOSITES[name]
        large, small = unit_of(large_code), unit_of(small_code)
        if large is None or small is None:
            return ""
        is_by_default = name == "ftin" and quantity.unit.code == "m" and name not in self._arguments.values()
        if is_by_default and max(map(abs, quantity.values)) >= _MAX_METRES_IN_INCHES:
            return self._output(quantity, large, digits, is_first=is_first)
        pieces = []
        for text, value in zip(quantity.texts, quantity.values, strict=True):
            total = value_in(value, quantity.unit, small)
            if not math.isfinite(total) or abs(total) > 1e12:
                return ""
            places = digits if digits is not None else max(default_digits(text, value, quantity.unit, total, small), 0)
            whole, rest = divmod(abs(float(rounded(total, places))), ratio)
            shown = rounded(rest, places)
            sign = MINUS if total < 0 else ""
            pieces.append(
                f"{sign}{self._grouped(str(int(whole)))} {self._name(large, whole, is_first=is_first)} "
                f"{shown} {self._name(small, rest, is_first=is_first)}"
            )
        return _joined(pieces, quantity.words, is_named=self._has_name(is_first, large))

    def _has_name(self, is_first: bool, unit: Unit) -> bool:
        """Return whether *unit* of the first, or of the other quantity is written with its name."""
        if unit.symbol.startswith("°") and self._abbreviation != "off":
            return False
        if self._abbreviation in {"on", "values"}:
            return False
        if self._abbreviation == "off":
            return True
        if self._abbreviation == "in":
            return is_first == self._is_turned
        return is_first

    def _with_unit(
        self,
        texts: list[str],
        words: tuple[str, ...],
        values: list[float] | tuple[float, ...],
        unit: Unit,
        *,
        is_first: bool,
    ) -> str:
        is_named = self._has_name(is_first, unit)
        if self._abbreviation == "values":
            return _joined(texts, words, is_named=False)
        name = self._name(unit, values[-1] if len(values) == 1 else 2.0, is_first=is_first)
        if not is_named and any(word in {"x", "by(x)", "×"} for word in words):
            return _joined([f"{text} {name}" for text in texts], words, is_named=False)
        number_text = _joined(texts, words, is_named=is_named)
        if is_named and self._is_adjective:
            return f"{number_text}-{name.replace(' ', '-')}{self._noun() if is_first else ''}"
        return f"{number_text}{'' if name.startswith('/') else ' '}{name}" if name else number_text

    def _noun(self) -> str:
        """Return the word that ``adj=mid`` puts behind the unit, such as ``-long``."""
        last = self._arguments.get(str(self._arguments.positional), "")
        if self._arguments.get("adj") != "mid" or number(last) is not None or unit_of(last) is not None:
            return ""
        return last if last.startswith("-") else f" {last}"

    def _name(self, unit: Unit, value: float, *, is_first: bool) -> str:
        if not self._has_name(is_first, unit):
            return self._symbol(unit, value)
        is_single = abs(value) == 1 or self._is_adjective
        name = unit.singular if is_single else unit.plural
        if self._is_american:
            name = name.replace("metre", "meter").replace("litre", "liter").replace("tonne", "metric ton")
        return name

    def _symbol(self, unit: Unit, value: float) -> str:
        if not unit.symbol.endswith("s") or unit.symbol == unit.singular or unit.plural != unit.symbol:
            return unit.symbol
        return unit.singular if abs(value) == 1 or self._is_adjective else unit.symbol


def _order(value: float) -> int:
    return math.floor(math.log10(abs(value)) + 1e-14) if value else 0


def _whole_precision(text: str) -> str:
    """Return *text* so that zeros at its end count: 10 pounds after 2 stone are exact."""
    return text + "." if text.isdecimal() else text


def _joined(texts: list[str], words: tuple[str, ...], *, is_named: bool) -> str:
    joined = texts[0]
    for word, text in zip(words, texts[1:], strict=True):
        joined += _RANGES[word][0 if is_named else 1] + text
    return joined
