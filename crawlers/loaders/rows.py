"""A row of a data set (an object of JSON Lines, a row of Parquet) as an offered record.

Its `record_sha256` is the hash of its canonical JSON; a field that is null counts as one that is absent, because a
table has a null where an object has nothing. Its `source_id` is the id field (text or whole number), else that hash.
Text fields that are called as below fill the columns of a document; every other field goes into `metadata` as text
(nested values as canonical JSON), unless it is longer than `MAX_VALUE_CHARACTERS`, or the fields before it, by name,
fill `MAX_METADATA_CHARACTERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from corpusmill.crawlers.loaders.licenses import spdx
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.identity import canonical_json, capture_hash, row_hash

TITLE_FIELDS: Final = ("title",)
URL_FIELDS: Final = ("url",)
LICENSE_FIELDS: Final = ("license", "licence")
PUBLISHED_FIELDS: Final = ("published_at", "published", "date")
FETCHED_FIELDS: Final = ("fetched_at",)
MAX_DEPTH: Final = 64
"""Levels of objects and lists in a row, the row itself being the first. Real rows have fewer than ten. The bound is
ours because Python's own counts the caller's frames too: a row would pass in one engine and fail in another."""
_HALF: Final = re.compile(r"[\ud800-\udfff]")
MAX_VALUE_CHARACTERS: Final = 4096
MAX_METADATA_CHARACTERS: Final = 65_536
_MAX_NAMES: Final = 8
_MAX_NAME_CHARACTERS: Final = 60


def offer_of(row: dict[str, Any], *, text_field: str, id_field: str) -> dict[str, Any]:
    """Give the columns of `OFFER` for *row*, a JSON object; a bad row has a `rule` and a `message`.

    Half of a surrogate pair, which no text has, becomes U+FFFD, but in the text or the id: there the row is bad.
    """
    row = without_nulls(row)
    try:
        digest = row_hash(row)
    except UnicodeEncodeError:
        if any(_has_half(row.get(name)) for name in (text_field, id_field)):
            return _bad(capture_hash(repr(row).encode()), "encoding", "half of a surrogate pair stands alone")
        return offer_of(_without_halves(row), text_field=text_field, id_field=id_field)
    except ValueError as error:
        return _bad(capture_hash(repr(row).encode()), "not_json", str(error))
    source_id = _id(row.get(id_field)) or digest
    text = row.get(text_field)
    if not isinstance(text, str):
        problem = f"has no field `{text_field}`" if text is None else f"field `{text_field}` is {_kind(text)}, not text"
        return _bad(digest, "no_text", f"{problem}; {_fields_there(row)}", source_id)
    if is_too_large(text):
        return _bad(digest, "too_large", f"the text is above {MAX_TEXT_BYTES:,} bytes", source_id)
    columns = _described(row, used={text_field, id_field})
    columns.update(source_id=source_id, record_sha256=digest, text=text)
    return columns


def without_nulls(value: Any) -> Any:
    """Return the JSON *value* without the fields of objects that are null."""
    if isinstance(value, dict):
        return {
            name: without_nulls(item) if isinstance(item, dict | list) else item
            for name, item in value.items()
            if item is not None
        }
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _has_half(value: Any) -> bool:
    return isinstance(value, str) and _HALF.search(value) is not None


def _without_halves(value: Any) -> Any:
    """Return the JSON *value* with U+FFFD for each half of a surrogate pair, in names too."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_without_halves(name): _without_halves(item) for name, item in value.items()}
    return [_without_halves(item) for item in value] if isinstance(value, list) else value


def is_too_large(text: str) -> bool:
    """Tell whether *text* has more than `MAX_TEXT_BYTES` bytes as UTF-8."""
    return len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES


def timestamp(value: Any) -> datetime | None:
    """Give the time that the ISO 8601 text *value* stands for (UTC where it does not say), or none.

    >>> timestamp("2020-03-29T09:04:10+02:00")
    datetime.datetime(2020, 3, 29, 7, 4, 10, tzinfo=datetime.timezone.utc)
    """
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _bad(digest: str, kind: str, message: str, source_id: str | None = None) -> dict[str, Any]:
    return {"source_id": source_id or digest, "record_sha256": digest, "rule": f"error.{kind}", "message": message}


def _id(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _fields_there(row: dict[str, Any]) -> str:
    """Name the fields of *row*, those that hold text first, the longest text before the others."""
    texts = sorted((name for name in row if isinstance(row[name], str)), key=lambda name: (-len(row[name]), name))
    others = sorted(name for name in row if not isinstance(row[name], str))
    parts = [f"{about} {_names(names)}" for about, names in (("text is in", texts), ("it has", others)) if names]
    return "; ".join(parts) or "it has no fields"


def _names(names: list[str]) -> str:
    shown = ", ".join(f"`{name[:_MAX_NAME_CHARACTERS]}`" for name in names[:_MAX_NAMES])
    return shown + (", …" if len(names) > _MAX_NAMES else "")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names[type(value)]


def _described(row: dict[str, Any], *, used: set[str]) -> dict[str, Any]:
    """Return the columns that describe the document, and the rest as metadata."""
    columns: dict[str, Any] = {}
    for column, names, convert in _DESCRIPTIONS:
        for name in names:
            value = row.get(name)
            if isinstance(value, str) and value.strip() and (found := convert(value)) is not None:
                columns[column] = found
                used.add(name)
                if column == "license":
                    columns["license_source"] = f"field:{name}"
                break
    columns["metadata"] = _metadata(row, used=used) or None
    return columns


def _metadata(row: dict[str, Any], *, used: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    size = 0
    for name in sorted(row.keys() - used):
        value = row[name]
        text = value if isinstance(value, str) else _json(value)
        if len(text) <= MAX_VALUE_CHARACTERS and size + len(name) + len(text) <= MAX_METADATA_CHARACTERS:
            found[name] = text
            size += len(name) + len(text)
    return found


def _json(value: Any) -> str:
    kind = type(value)
    if kind is bool:
        return "true" if value else "false"
    return str(value) if kind is int else canonical_json(value).decode()


_DESCRIPTIONS: Final[tuple[tuple[str, tuple[str, ...], Callable[[str], Any]], ...]] = (
    ("title", TITLE_FIELDS, str),
    ("url", URL_FIELDS, str),
    ("license", LICENSE_FIELDS, spdx),
    ("published_at", PUBLISHED_FIELDS, timestamp),
    ("fetched_at", FETCHED_FIELDS, timestamp),
)
"""Columns, the fields that may fill them, and what makes the field's text a value; none: it is not one."""
