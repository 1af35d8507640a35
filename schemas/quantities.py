"""Durations and sizes, as they are written in recipes: ``12h``, ``256MB``."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from corpusmill.schemas.problems import HintedValueError

DURATION_PATTERN: Final = r"^(never|[1-9][0-9]{0,5}[mhdw])$"
SIZE_PATTERN: Final = r"^[0-9]+(\.[0-9]+)? ?(B|kB|KB|MB|GB|TB)$"
_MINUTES: Final = {"w": 7 * 24 * 60, "d": 24 * 60, "h": 60, "m": 1}
_BYTES: Final = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_duration(text: str) -> timedelta | None:
    """Parse a duration: a whole number of minutes, hours, days or weeks, or ``never`` (None).

    Raises:
        ValueError: *text* does not have this form.

    >>> parse_duration("12h")
    datetime.timedelta(seconds=43200)
    """
    if not re.fullmatch(DURATION_PATTERN, text):
        problem = "not a duration: write a whole number and a unit, as in 30m, 12h, 7d or 2w, or never"
        raise HintedValueError(problem, instead=_nearest_duration(text))
    return None if text == "never" else timedelta(minutes=int(text[:-1]) * _MINUTES[text[-1]])


_NEAR_DURATION: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([mhdwy])[a-z]*", re.IGNORECASE)
_DURATION_WORDS: Final = {"hourly": "1h", "daily": "1d", "weekly": "1w", "monthly": "30d", "yearly": "365d"}


def _nearest_duration(text: str) -> str | None:
    """Return the duration that *text* probably means.

    >>> _nearest_duration("7 days"), _nearest_duration("1.5h"), _nearest_duration("1d12h"), _nearest_duration("soon")
    ('7d', '90m', '36h', None)
    """
    if (word := _DURATION_WORDS.get(text.strip().lower())) is not None:
        return word
    pieces = _NEAR_DURATION.findall(text)
    if not pieces or _NEAR_DURATION.sub("", text).strip():
        return None
    if len(pieces) == 1 and re.fullmatch(DURATION_PATTERN, near := "".join(pieces[0]).lower()):
        return near
    units = _MINUTES | {"y": 365 * _MINUTES["d"]}
    minutes = int(sum(Fraction(number) * units[unit.lower()] for number, unit in pieces))
    return format_duration(timedelta(minutes=minutes)) if 0 < minutes < 10**9 else None


def format_duration(duration: timedelta | None) -> str:
    """Format *duration* (whole minutes) for a recipe, in the largest unit without a remainder.

    >>> format_duration(timedelta(days=7)), format_duration(None)
    ('1w', 'never')
    """
    if duration is None:
        return "never"
    minutes = duration // timedelta(minutes=1)
    unit = next(unit for unit, size in _MINUTES.items() if minutes % size == 0)
    return f"{minutes // _MINUTES[unit]}{unit}"


def parse_size(text: str) -> int:
    """Parse a size to a number of bytes; 1 MB is 10^6 bytes.

    Raises:
        ValueError: *text* does not have this form, or is not a whole number of bytes.

    >>> parse_size("256MB")
    256000000
    """
    if not re.fullmatch(SIZE_PATTERN, text):
        problem = "not a size: write a number of bytes, or a number and a unit, as in 500kB, 256MB or 1.5GB"
        raise HintedValueError(problem, instead=_nearest_size(text))
    unit = text.lstrip("0123456789. ")
    size = Fraction(text.removesuffix(unit).strip()) * _BYTES[unit]
    if size.denominator != 1:
        raise HintedValueError("not a whole number of bytes", instead=math.ceil(size))
    return int(size)


_NEAR_SIZE: Final = re.compile(r"\s*([0-9]{0,15}\.?[0-9]{1,15})\s*([kmgt]?)(b|ib|[a-z]{0,4}bytes?|)\s*", re.IGNORECASE)


def _nearest_size(text: str) -> str | int | None:
    """Return the size that *text* probably means; a size in units of 1024 becomes a number of bytes.

    >>> _nearest_size("1 gb"), _nearest_size("256 megabytes"), _nearest_size("1MiB"), _nearest_size("10 lightyears")
    ('1GB', '256MB', 1048576, None)
    """
    match = _NEAR_SIZE.fullmatch(text.replace(",", "").replace("_", ""))
    if match is None:
        return None
    number, letter = Fraction(match[1]), match[2].lower()
    if match[3].lower() == "ib":
        return int(number * 1024 ** ("kmgt".find(letter) + 1 if letter else 0))
    if not match[2] + match[3]:
        return int(number)
    unit = {"": "B", "k": "kB"}.get(letter, f"{letter.upper()}B")
    return f"{float(number):.15g}{unit}"


def duration_of(value: Any) -> Any:
    """Parse *value* if it is a text; a model checks the rest."""
    return parse_duration(value) if isinstance(value, str) else value


def size_of(value: Any) -> Any:
    """Parse *value* if it is a text; a model checks the rest."""
    return parse_size(value) if isinstance(value, str) else value
