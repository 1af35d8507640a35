"""Payment card numbers: 13 to 19 digits of a known issuer with a valid check digit (ISO/IEC 7812-1)."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.personal_data.kinds import Kind

_PATTERN: Final = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9][.,-])"
    r"(?:\d{4}(?P<a>[ -])\d{4}(?P=a)\d{4}(?P=a)\d{4}(?:(?P=a)\d{1,3})?"
    r"|\d{4}(?P<b>[ -])\d{6}(?P=b)\d{4,5}"
    r"|\d{13,19})"
    r"(?![0-9A-Za-z_]|[.,-][0-9])",
    re.ASCII,
)
"""Digits as printed on cards (4-4-4-4, with 1 to 3 more, 4-6-5, 4-6-4) or without gaps, not within a longer number."""

_ISSUERS: Final = (
    ((13, 16, 19), (("4", "4"),)),  # Visa
    ((16,), (("51", "55"), ("2221", "2720"))),  # Mastercard
    ((15,), (("34", "34"), ("37", "37"))),  # American Express
    ((14, 15, 16, 17, 18, 19), (("300", "305"), ("3095", "3095"), ("36", "36"), ("38", "39"))),  # Diners Club
    ((16, 17, 18, 19), (("6011", "6011"), ("644", "649"), ("65", "65"), ("3528", "3589"), ("62", "62"))),
    # Discover, JCB, UnionPay
    ((16,), (("2200", "2204"),)),  # Mir
    (
        (13, 14, 15, 16, 17, 18, 19),  # Maestro
        (("5018", "5018"), ("5020", "5020"), ("5038", "5038"), ("5893", "5893"), ("6304", "6304"), ("6759", "6763")),
    ),
)
"""Lengths and ranges of first digits, from the issuers' public descriptions of their numbers."""

_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _is_personal(match: re.Match[str]) -> bool:
    digits = match[0].replace(" ", "").replace("-", "")
    return _is_issued(digits) and passes_luhn(digits)


def _is_issued(digits: str) -> bool:
    return any(
        len(digits) in lengths and any(low <= digits[: len(low)] <= high for low, high in ranges)
        for lengths, ranges in _ISSUERS
    )


def passes_luhn(digits: str) -> bool:
    """Return whether the last of *digits* is the check digit of the others (ISO/IEC 7812-1, annex B).

    >>> passes_luhn("4111111111111111"), passes_luhn("4111111111111112")
    (True, False)
    """
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[0::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


CARD: Final = Kind("card", r"\d{13}|\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{4}|\d{4}[ -]\d{6}[ -]\d{4}", _PATTERN, _is_personal)
