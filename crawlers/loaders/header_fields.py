"""What the fields at the top of a text file say about the document: its license and its day of publication.

Both are read as those of pages are. A field that fills a column leaves the metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from corpusmill.schemas.dates import LAST_DAY, day_of, writes_month_first
from corpusmill.schemas.licenses import spdx

LICENSES: Final = (
    *("license", "licence", "spdxlicenseidentifier", "spdx", "license.spdx", "license.id", "license.name"),
    *("license.url", "license.link", "licence.name", "licence.url", "licenseurl", "licenselink", "rights", "copyright"),
)
PUBLISHED: Final = (
    *("datepublished", "published", "publishedat", "publishedon", "publisheddate", "publishdate", "publicationdate"),
    *("pubdate", "issued", "dateissued", "date.published", "date", "date.created", "created", "createdat", "createdon"),
    *("createddate", "datecreated", "creationdate"),
)
"""Names of fields without ``-``, ``_`` and blanks, the most reliable first. Days of a change, such as ``lastmod``,
``modified`` and ``updated``, are none of publication."""
_LANGUAGES: Final = ("lang", "language", "locale")
_SEPARATORS: Final = re.compile(r"[-_\s]+")
_MARKED: Final = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n]{1,200}?)[ \t]*(?:-->|\*/|\n|\Z)")
_MARKED_CHARACTERS: Final = 4_096
MARK: Final = "comment:SPDX-License-Identifier"
"""Where a license stood that is declared by the rules of https://spdx.dev/learn/handling-license-info/."""


def described(fields: dict[str, str], *, place: str, text: str = "") -> dict[str, Any]:
    """Return `license`, `license_source`, `published_at` and `metadata` for a file that has *fields* at its top.

    `metadata` has the other fields; its `published_at_source` names the field that gave the day.

    Args:
        place: What the fields are called as a source: ``front-matter``, ``docinfo``.
        text: The whole file: without a license among the fields, its first comment may name one.

    >>> columns = described({"Date": "31 January 2024", "licence": "CC BY 4.0", "by": "Ann"}, place="front-matter")
    >>> columns["published_at"].isoformat(), columns["license"], columns["license_source"]
    ('2024-01-31T00:00:00+00:00', 'CC-BY-4.0', 'front-matter:licence')
    >>> columns["metadata"]
    {'by': 'Ann', 'published_at_source': 'front-matter:Date'}
    """
    by_name = {_SEPARATORS.sub("", name.lower()): name for name in reversed(fields)}
    metadata = dict(fields)
    columns: dict[str, Any] = {}
    for name in _present(LICENSES, by_name):
        if (identifier := spdx(fields[name])) is not None:
            columns |= {"license": identifier, "license_source": f"{place}:{name}"}
            del metadata[name]
            break
    else:
        columns |= _marked_license(text)
    language = next((fields[name] for name in _present(_LANGUAGES, by_name)), "")
    for name in _present(PUBLISHED, by_name):
        if (day := _day(fields[name], language)) is not None:
            columns["published_at"] = day
            del metadata[name]
            metadata["published_at_source"] = f"{place}:{name}"
            break
    return {**columns, "metadata": metadata or None}


def _present(names: Iterable[str], by_name: dict[str, str]) -> list[str]:
    return [by_name[name] for name in names if name in by_name]


def _day(value: str, language: str) -> datetime | None:
    month_first = writes_month_first(language.strip().lower().replace("_", "-"), "")
    day = day_of(value, month_first=month_first, last=LAST_DAY)
    return None if day is None else day.astimezone(UTC)


def _marked_license(text: str) -> dict[str, str]:
    match = _MARKED.search(text[:_MARKED_CHARACTERS])
    identifier = spdx(match[1]) if match is not None and _is_comment(text[: match.start()]) else None
    return {} if identifier is None else {"license": identifier, "license_source": MARK}


def _is_comment(beginning: str) -> bool:
    """Return whether a file that begins like this has begun with a comment, and is still in it.

    >>> _is_comment("<!-- "), _is_comment(".. "), _is_comment("---\\n# "), _is_comment("Write ")
    (True, True, True, False)
    """
    first, *lines = [line for line in beginning.split("\n") if line.strip()] or [""]
    if first.startswith("<!--"):
        return "-->" not in beginning
    if first.startswith("---"):
        return bool(lines) and all(line.startswith("#") for line in lines)
    return first.startswith(".. ") and all(line.startswith((".. ", " ", "\t")) for line in lines)
