"""Submissions and comments of Reddit as they stand in the files of Pushshift and its successors."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from corpusmill.crawlers.readers.reddit import absence
from corpusmill.schemas.dates import stated
from corpusmill.schemas.errors import DataError

_SITE: Final = "https://www.reddit.com"
_ID: Final = re.compile(r"(?:t[1-6]_)?([0-9a-z]{1,12})")
_STATES: Final = ("retrieved_on", "retrieved_utc", "retrieved_at")
_LAST_SECOND: Final = 4_102_444_800.0
"""The beginning of 2100; a larger number is in another unit."""


class Post(NamedTuple):
    """A submission or a comment: its fields."""

    row: dict[str, Any]
    is_comment: bool

    def value(self, field: str) -> str:
        """Return *field* as text; empty if it is missing, null or nested."""
        value = self.row.get(field)
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, str | int | float) else ""

    @property
    def id(self) -> str:
        """The id without the prefix of its kind; empty if there is none."""
        return bare(self.value("id")) or bare(self.value("name"))

    @property
    def full_id(self) -> str:
        """The id with the prefix of its kind, such as ``t1_c0ffee``; empty if there is none."""
        return f"{'t1' if self.is_comment else 't3'}_{self.id}" if self.id else ""

    @property
    def thread(self) -> str:
        """The id of the submission, without prefix."""
        return bare(self.value("link_id")) if self.is_comment else self.id

    @property
    def score(self) -> int:
        """The score; 0 if there is none."""
        score = self.value("score") or self.value("ups")
        return int(score) if re.fullmatch(r"-?\d{1,9}", score) else 0

    @property
    def plural(self) -> str:
        """The name of its kind in counts."""
        return "comments" if self.is_comment else "submissions"

    @property
    def is_of_profile(self) -> bool:
        """Whether it stands on the page of a user, whose name is then the name of the subreddit."""
        return self.value("subreddit").lower().startswith("u_")

    @property
    def created(self) -> datetime | None:
        """When it was written."""
        return moment(self.row.get("created_utc"))

    @property
    def state(self) -> datetime | None:
        """When it was retrieved."""
        return next((at for name in _STATES if (at := moment(self.row.get(name)))), None)

    def absence(self, *, keeps_links: bool) -> str | None:
        """Return why it is no document: ``deleted``, ``removed``, ``empty`` or ``links``; None if it is one."""
        if self.is_comment:
            return absence(self.value("body"))
        reason = absence(self.value("selftext"))
        if reason != "empty":
            return reason
        is_link = self.row.get("is_self") is False or self.value("is_self").lower() == "false"
        return absence(self.value("title")) or ("links" if is_link and not keeps_links else None)

    @property
    def url(self) -> str | None:
        """Its address, without names of users."""
        if not self.thread:
            return None
        path = self.value("permalink").removeprefix(_SITE)
        if path.startswith("/r/") and not path.lower().startswith("/r/u_"):
            return _SITE + path
        tail = f"_/{self.id}/" if self.is_comment else ""
        return f"{_SITE}/comments/{self.thread}/{tail}"


def post_of(row: dict[str, Any]) -> Post:
    """Return the post with the fields *row*, which can be in the envelope of the interface of Reddit.

    Raises:
        DataError: ``wrong_format``: it is neither a submission nor a comment.
    """
    inner = row.get("data")
    fields = inner if row.get("kind") in ("t1", "t3") and isinstance(inner, dict) else row
    if "body" in fields:
        return Post(fields, is_comment=True)
    if "title" in fields or "selftext" in fields:
        return Post(fields, is_comment=False)
    raise DataError("neither a comment (`body`) nor a submission (`title`)", kind="wrong_format")


def bare(id: str) -> str:
    """Return *id* without the prefix of its kind; empty if it is not an id.

    >>> bare("t3_9x"), bare("9x"), bare("A B")
    ('9x', '9x', '')
    """
    match = _ID.fullmatch(id)
    return match[1] if match else ""


def moment(value: Any) -> datetime | None:
    """Return the moment that a field holds: seconds since 1970 as a number or text, or a date; None if it is neither.

    >>> moment("1262304000") == moment(1262304000.0) == moment("2010-01-01T00:00:00Z")
    True
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return stated(value) if isinstance(value, str) else None
    return datetime.fromtimestamp(seconds, UTC) if math.isfinite(seconds) and 0 < seconds < _LAST_SECOND else None
