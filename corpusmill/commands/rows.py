"""Rows of documents as text."""

from __future__ import annotations

from typing import Any, Final

_EXCERPT: Final = 400
"""Characters of a text that are printed without ``--text``."""
_COLUMN: Final = 100
"""Characters of any other column that are printed without ``--text``. Views are as long as the text."""
_HEADLINE: Final = ("id", "split", "source", "title")
_HASHES: Final = ("content_hash", "record_sha256", "cluster_id")
"""Columns that are printed only if --columns names them, or with ``--text``."""


def row_as_text(row: dict[str, Any], *, whole: bool, hashes: bool) -> str:
    """Format a row: its names on the first line, then its other columns, then the beginning of its text.

    >>> print(row_as_text({"rule": "a.b", "message": "c", "record_sha256": "0f"}, whole=False, hashes=False))
      rule: a.b
      message: c
    <BLANKLINE>
    """
    body = row.get("text") or row.get("sample_text") or ""
    elsewhere = (*_HEADLINE, "text", "sample_text", *(() if hashes else _HASHES))
    known = {name: value for name, value in row.items() if name not in elsewhere and value not in (None, {})}
    headline = "  ".join(str(row[name]) for name in _HEADLINE if row.get(name) is not None)
    lines = [headline] if headline else []
    lines += [f"  {name}: {_shown(value) if whole else short(_shown(value))}" for name, value in known.items()]
    lines += ["", *(f"    {line}" for line in excerpt(body, whole=whole).splitlines())] if body else []
    return "\n".join([*lines, ""])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return str(value)


def short(text: str) -> str:
    """Return the first `_COLUMN` characters of *text*, with " …" if there are more."""
    return text if len(text) <= _COLUMN else text[:_COLUMN].rstrip() + " …"


def excerpt(text: str, *, whole: bool) -> str:
    """Return the first `_EXCERPT` characters of *text*, with " …" if there are more; or all, if it is *whole*."""
    return text if whole or len(text) <= _EXCERPT else text[:_EXCERPT].rstrip() + " …"
