"""Format numbers and texts for readers."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, and marks that change the direction of the text that follows."""
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def count(number: float) -> str:
    """Format a whole number with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,.0f}"


def short_count(number: float) -> str:
    """Format *number* in at most five characters.

    >>> short_count(999), short_count(12_345), short_count(2_500_000)
    ('999', '12.3k', '2.5M')
    """
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def size(number: float) -> str:
    """Format a number of bytes with its unit; 1 MB is 10^6 bytes.

    >>> size(512), size(1_234_567), size(-2000)
    ('512 B', '1.23 MB', '−2 kB')
    """
    sign, rest = ("−" if number < 0 else ""), abs(float(number))
    for unit in _UNITS:
        if float(f"{rest:.3g}") < 1000 or unit == _UNITS[-1]:
            return f"{sign}{rest:.3g} {unit}"
        rest /= 1000
    raise AssertionError("the last unit has no limit")


def percent(share: float | None) -> str:
    """Format a share as a percentage that is never rounded to 0 or 100.

    >>> percent(0.314), percent(0.0004), percent(0.9999), percent(0), percent(1)
    ('31.4 %', '< 0.1 %', '> 99.9 %', '0 %', '100 %')
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def seconds(number: float) -> str:
    """Format a duration.

    >>> seconds(0.25), seconds(75), seconds(7300)
    ('0.25 s', '1 min 15 s', '2 h 1 min')
    """
    if number < 60:
        return f"{number:.3g} s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def value(number: float | None) -> str:
    """Format the value of a signal or a threshold.

    >>> value(0.30000001), value(50.0), value(123456.0), value(None)
    ('0.3', '50', '123,456', '–')
    """
    if number is None:
        return "–"
    return f"{number:,.0f}" if abs(number) >= 1000 or number == int(number) else f"{number:.3g}"


def shortened(text: str | None, length: int) -> str:
    r"""Return *text* on one line, in at most *length* characters, without control characters.

    >>> shortened("one\n two\x00", 20), shortened("a" * 9, 5)
    ('one two', 'aaaa…')
    """
    line = " ".join(_CONTROL.sub("", text or "").split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def breakable(text: str) -> Markup:
    """Return *text* as markup with line break opportunities after underscores and dots.

    >>> breakable("a_b<")
    Markup('a_<wbr>b&lt;')
    """
    return Markup(re.sub(r"(?<=[_.])(?=\w)", "<wbr>", str(escape(text))))


def plural(number: int, one: str, many: str | None = None) -> str:
    """Format a count with its noun.

    >>> plural(1, "document"), plural(2, "copy", "copies")
    ('1 document', '2 copies')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listed(names: list[str]) -> str:
    """Format *names* as a list in a sentence.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
