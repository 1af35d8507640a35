"""Read `Retry-After` (RFC 9110 §10.2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_FAR_S: Final = 1e9
"""A number with more digits counts as this."""
_MAX_DIGITS: Final = 9


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float:
    """Return the seconds that the server asks to wait; 0 if it names no time, or one that has passed.

    Args:
        headers: Those of the response; names in lower case. A date is compared with the server's `Date`, because its
            clock may be wrong.
        now: Compared with a date if the response has no valid `Date`.

    >>> retry_after_s({"retry-after": "120"}, now=datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) <= _MAX_DIGITS else _FAR_S
    until = _date(value)
    if until is None:
        return 0.0
    return max(0.0, (until - (_date(headers.get("date", "")) or now)).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
