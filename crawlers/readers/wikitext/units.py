"""Units of measurement: those of `units.toml`, their metric prefixes, multiples (`e6acre`) and rates (`ft/s`)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

_PREFIXES: Final = {
    "p": ("pico", -12),
    "n": ("nano", -9),
    "µ": ("micro", -6),
    "m": ("milli", -3),
    "c": ("centi", -2),
    "d": ("deci", -1),
    "da": ("deca", 1),
    "h": ("hecto", 2),
    "k": ("kilo", 3),
    "M": ("mega", 6),
    "G": ("giga", 9),
    "T": ("tera", 12),
    "P": ("peta", 15),
    "E": ("exa", 18),
}
_MULTIPLES: Final = {"e3": (3, "thousand"), "e6": (6, "million"), "e9": (9, "billion"), "e12": (12, "trillion")}
_LARGE: Final = {"k": "e3", "M": "e6", "G": "e9", "T": "e12"}
"""Letters before units that have no metric prefixes, such as `Moilbbl`."""
_MULTIPLE: Final = re.compile(r"(e3|e6|e9|e12)([^\d].*)", re.DOTALL)
_OFFSETS: Final = {"C": 273.15, "F": 459.67}
_TEMPERATURES: Final = frozenset({"C", "F", "K", "R"})
MAX_CODE_CHARACTERS: Final = 40


class Unit(NamedTuple):
    """A unit. `factor` and `offset` lead to the base unit: ``(value + offset) * factor``."""

    code: str
    symbol: str
    singular: str
    plural: str
    factor: float
    default: str
    offset: float = 0.0
    multiple: str = ""

    @property
    def is_temperature(self) -> bool:
        """Whether values have a zero of their own."""
        return self.code in _TEMPERATURES

    @property
    def has_full_precision(self) -> bool:
        """Whether whole numbers are converted to it as precisely as they are written (`ft`, `lb`)."""
        return self.code in {"ft", "lb"}

    @property
    def is_inverse(self) -> bool:
        """Whether a larger value means a smaller one of the other units of its kind (`L/100 km`)."""
        return self.code == "L/100 km"


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads((files(__package__) / "units.toml").read_text(encoding="utf-8"))


@cache
def unit_of(code: str) -> Unit | None:
    """Return the unit with the *code* of {{convert}}; None if it is unknown.

    >>> unit_of("km").plural, unit_of("e6acre").plural, unit_of("ft/s").factor, unit_of("x")
    ('kilometres', 'million acres', 0.3048, None)
    """
    if not code or len(code) > MAX_CODE_CHARACTERS:
        return None
    tables = _tables()
    code = tables["aliases"].get(code, code)
    if (row := tables["units"].get(code) or tables["metric"].get(code)) is not None:
        symbol, singular, plural, factor, default = row
        return Unit(code, symbol, singular, plural, factor, default, offset=_OFFSETS.get(code, 0.0))
    if (match := _MULTIPLE.fullmatch(code)) is not None:
        return _multiple(match[1], match[2])
    if (unit := _prefixed(code, tables)) is not None:
        return unit
    if (lowered := code.lower()) != code and any(lowered in tables[name] for name in ("units", "aliases", "metric")):
        return unit_of(lowered)
    if (unit := _rate(code, tables)) is not None:
        return unit
    if code[0] in _LARGE and (unit := _multiple(_LARGE[code[0]], code[1:])) is not None:
        return unit
    return _prefixed(lowered, tables)


def _multiple(exponent: str, code: str) -> Unit | None:
    unit = unit_of(code)
    if unit is None or unit.multiple or unit.offset:
        return None
    power, word = _MULTIPLES[exponent]
    return unit._replace(
        code=exponent + unit.code,
        symbol=f"{word} {unit.symbol}",
        singular=f"{word} {unit.plural}",
        plural=f"{word} {unit.plural}",
        factor=unit.factor * 10**power,
        multiple=exponent,
    )


def _prefixed(code: str, tables: dict[str, dict[str, Any]]) -> Unit | None:
    for size in (1, 2):
        prefix, base = _PREFIXES.get(code[:size]), tables["metric"].get(code[size:])
        if prefix is not None and base is not None:
            symbol, singular, plural, factor, default = base
            return Unit(
                code,
                code[:size] + symbol,
                prefix[0] + singular,
                prefix[0] + plural,
                factor * 10.0 ** prefix[1],
                tables["metric_defaults"].get(code, default),
            )
    return None


def _rate(code: str, tables: dict[str, dict[str, Any]]) -> Unit | None:
    above, slash, below = code.rpartition("/")
    if not slash or not above:
        return None
    squared = below in {"s2", "h2"}
    first, second = unit_of(above), unit_of(below[:-1] if squared else below)
    if first is None or second is None or "/" in above:
        return None
    per = f"per {second.singular}" + (" squared" if squared else "")
    return Unit(
        code,
        f"{first.symbol}/{second.singular if second.symbol == second.plural else second.symbol}" + "²" * squared,
        f"{first.singular} {per}",
        f"{first.plural} {per}",
        first.factor / second.factor ** (2 if squared else 1),
        tables["rate_defaults"].get(code, _default_rate(first, below)),
        multiple=first.multiple and "rate",
    )


def _default_rate(first: Unit, below: str) -> str:
    """Return the usual output of a rate: that of what is counted, if it is one unit."""
    return f"{first.default}/{below}" if first.default and " " not in first.default else ""
