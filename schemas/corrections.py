"""Propose corrections of a value: the same value in another form of YAML.

Corrections are independent of the field, so the caller must validate them with the field's model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9_,]*(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_BOOLEANS: Final = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}
"""Booleans in YAML 1.1 that are texts in YAML 1.2."""


def corrections(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield corrections of *value*, each with the words that introduce it.

    >>> next(corrections("90%")), next(corrections(["NFC"])), next(corrections(1000.0))
    (('write a share as a number:', 0.9), ('remove the brackets:', 'NFC'), ('write a whole number:', 1000))
    """
    match value:
        case bool():
            yield "put it in quotes:", str(value).lower()
        case int() | float():
            yield from _of_number(value)
        case str():
            yield from _of_text(value)
        case [single]:
            yield "remove the brackets:", single
        case dict():
            yield _WRITE_A_LIST, [value]


_WRITE_A_LIST: Final = "write a list:"


def _of_number(value: float) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, int) and value.is_integer():
        yield "write a whole number:", int(value)
    if value in (0, 1):
        yield "write `true` or `false`:", bool(value)
    if 10 <= value <= 100:
        yield "write a share as a number from 0 to 1:", value / 100
    yield "put it in quotes:", str(value)
    yield _WRITE_A_LIST, [value]


def _of_text(text: str) -> Iterator[tuple[str, Any]]:
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped) and math.isfinite(_number(stripped)):
        is_plain = not set("_,") & set(stripped)
        yield "remove the quotes:" if is_plain else "write a number without separators:", _number(stripped)
    if stripped.endswith("%") and _NUMBER.fullmatch(stripped[:-1]):
        yield "write a share as a number:", _number(stripped[:-1]) / 100
    if stripped.lower() in {"true", "false"}:
        yield "remove the quotes:", stripped.lower() == "true"
    if (boolean := _BOOLEANS.get(stripped.lower())) is not None:
        yield "write `true` or `false`:", boolean
    if stripped.lower() in {"null", "none", "~"}:
        yield "write `null`:", None
    if text:
        yield _WRITE_A_LIST, [text]


def _number(text: str) -> float:
    digits = re.sub(r"[_,]", "", text)
    return int(digits) if re.fullmatch(r"[-+]?[0-9]{1,100}", digits) else float(digits)
