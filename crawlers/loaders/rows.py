"""Conversion of a row (an object of JSON Lines, a row of Parquet) into a record of a loader.

The `record_sha256` of a row is the hash of its canonical JSON. A null field counts as absent, because a table has a
null where an object has no field. The `source_id` is the id of the row, or the hash if it has no usable id.

An id is text, or a number, ``true`` or ``false`` in the form of RFC 8785, except that whole numbers keep all digits: 5,
5.0 and 5e0 are the same id, because JSON does not distinguish kinds of numbers (RFC 8259, section 6). With `id_from`,
an id has several parts. Records without an id, or with an object or a list as id, are counted (`ID_COUNTS`), so that a
run can warn about them.

Text fields with the names below fill the columns of a document. Every other field is added to `metadata` as text
(nested values as canonical JSON), in the order of names, except values longer than `MAX_VALUE_CHARACTERS` and fields
that would exceed `MAX_METADATA_CHARACTERS` in total. The field `vector_field` fills the column `vector` instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import Field, field_validator, model_validator

from corpusmill.crawlers.loaders.base import Loader
from corpusmill.crawlers.loaders.templates import template_of, value_of
from corpusmill.crawlers.loaders.vectors import VectorField, taken
from corpusmill.schemas.document import MAX_TEXT_BYTES
from corpusmill.schemas.identity import ID_COUNTS, canonical_json, capture_hash, row_hash
from corpusmill.schemas.licenses import spdx
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.vectors import VECTOR

TITLE_FIELDS: Final = ("title",)
URL_FIELDS: Final = ("url",)
LICENSE_FIELDS: Final = ("license", "licence")
PUBLISHED_FIELDS: Final = ("published_at", "published", "date")
FETCHED_FIELDS: Final = ("fetched_at",)
MAX_DEPTH: Final = 64
"""Levels of objects and lists in a row; the row itself is the first. Real rows have fewer than ten. Python's recursion
limit would depend on the caller, so that a row could pass in one engine and fail in another."""
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
MAX_VALUE_CHARACTERS: Final = 4096
MAX_METADATA_CHARACTERS: Final = 65_536
_MAX_NAMES: Final = 8
_MAX_NAME_CHARACTERS: Final = 60


FILE: Final = "file"
"""The part of `id_from` that means the name of the file."""
MAX_PARTS: Final = 8
TEXT_FIELD_DESCRIPTION: Final = (
    "Field that contains the text (`page.body`: a field of an object), or a template of several, such as "
    "`{title}: {body}`, in which `{{` is a brace and missing fields are empty. `text` is another name for it."
)


class RowLoader(Loader):
    """A loader of rows whose ids are one field, or several parts."""

    text_field: str = "text"
    """A field, or a template such as ``{title}: {body}`` (`templates`)."""
    id_field: str | None = None
    id_from: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PARTS,
        description="Parts of the id of a record, instead of `id_field`: `file` is the name of the file, every other "
        "part is a field. Use it if ids are unique only within a file.",
        examples=[["file", "id"]],
    )
    vector_field: str | None = Field(
        default=None,
        min_length=1,
        description="Field with an embedding of each record, a list of numbers. It fills the column `vector`, which "
        "stages can read. It is neither published nor part of `metadata`.",
        examples=["embedding"],
    )

    @model_validator(mode="after")
    def _names_records(self) -> Self:
        parts = self.id_from
        if parts is None:
            return self
        if self.id_field != type(self).model_fields["id_field"].default:
            problem = "`id_from` replaces `id_field`: set only one of them"
            raise HintedValueError(problem, hint="remove `id_field` or `id_from`", at=("id_from",))
        if set(parts) == {FILE}:
            problem = f"`id_from: [{FILE}]` gives all records of a file one id"
            raise HintedValueError(problem, hint=f"add a field: `id_from: [{FILE}, id]`", at=("id_from",))
        if len(set(parts)) < len(parts):
            instead = ", ".join(dict.fromkeys(parts))
            raise HintedValueError(
                "`id_from` contains a part twice", hint=f"use `id_from: [{instead}]`", at=("id_from",)
            )
        return self

    @field_validator("text_field", check_fields=False)
    @classmethod
    def _is_field_or_template(cls, text_field: str) -> str:
        template_of(text_field)
        return text_field

    @property
    def text_names(self) -> tuple[str, ...]:
        """The fields that the text consists of."""
        return text_fields(self.text_field)

    @model_validator(mode="after")
    def _has_vectors_apart(self) -> Self:
        others = {"text_field": self.text_names, "id_field": (self.id_field,), "id_from": self.id_from or ()}
        other = next((name for name, fields in others.items() if self.vector_field in fields), None)
        if self.vector_field is not None and other is not None:
            problem = f"`{self.vector_field}` is also the field of `{other}`"
            raise HintedValueError(problem, hint="name the field that contains a list of numbers", at=("vector_field",))
        return self

    @property
    def reads_name(self) -> bool:
        """Whether the file's name is part of an id."""
        return FILE in (self.id_from or ())

    @property
    def has_vectors(self) -> bool:
        """Whether the recipe names the field of embeddings."""
        return self.vector_field is not None

    def vectors(self, counts: Counter[str] | None) -> VectorField | None:
        """Return the field of embeddings, which updates *counts*; None if there is none."""
        return (
            None
            if self.vector_field is None
            else VectorField(self.vector_field, Counter() if counts is None else counts)
        )

    def naming(self, name: str, counts: Counter[str] | None) -> Naming:
        """Return the naming of records of the file *name*; it updates *counts*."""
        counter = Counter() if counts is None else counts
        if self.id_from is None:
            return Naming((self.id_field or "id",), None, counter)
        return Naming(self.id_from, name, counter)


_PRESENT: Final = f"{ID_COUNTS}given"
_MISSING: Final = f"{ID_COUNTS}missing"
_UNUSABLE: Final = f"{ID_COUNTS}unusable"


class Naming:
    """Computes the ids of rows from the fields *parts*; the part `FILE` means *file*, unless *file* is None.

    The records with, without and with an unusable id are counted in *counts*.
    """

    def __init__(self, parts: tuple[str, ...], file: str | None, counts: Counter[str]) -> None:
        self.fields = frozenset(parts if file is None else (part for part in parts if part != FILE))
        self._parts = parts
        self._field = parts[0] if file is None and len(parts) == 1 else None
        self._file = file
        self._counts = counts

    def name_of(self, row: dict[str, Any]) -> str | None:
        """Return the id of *row*, or None if a part is missing or unusable, and count the outcome."""
        if self._field is not None and isinstance(name := row.get(self._field), str) and name:
            self._counts[_PRESENT] += 1  # most ids; the general case below is ten times slower
            return name
        values = [self._file if part not in self.fields else row.get(part) for part in self._parts]
        names = [_id(value) for value in values]
        if None not in names:
            self._counts[_PRESENT] += 1
            return _joined([name or "" for name in names]) if len(names) > 1 else names[0]
        is_unusable = any(isinstance(value, dict | list) for value in values)
        self._counts[_UNUSABLE if is_unusable else _MISSING] += 1
        return None


def text_fields(text_field: str) -> tuple[str, ...]:
    """Return the fields of *text_field*, which is one or a template.

    >>> text_fields("text"), text_fields("{title}: {body}")
    (('text',), ('title', 'body'))
    """
    template = template_of(text_field)
    return (text_field,) if template is None else template.fields


def _joined(parts: list[str]) -> str:
    """Join *parts* with ``#``, escaped in all parts but the last, so that different parts have different ids."""
    return "#".join([*(part.replace("%", "%25").replace("#", "%23") for part in parts[:-1]), parts[-1]])


def offer_of(
    row: dict[str, Any], *, text_field: str, naming: Naming, vectors: VectorField | None = None
) -> dict[str, Any]:
    """Return the columns of `OFFER` for *row*, a JSON object; a bad row has a `rule` and a `message`.

    Lone surrogates become U+FFFD, but a row with one in the text or the id is bad. The value of the field *vectors* is
    a list, or an array of float32.
    """
    if vectors is None:
        return _offer_of(row, text_field=text_field, naming=naming, apart=frozenset())
    row, vector, outcome = taken(row, vectors.name)
    offer = _offer_of(row, text_field=text_field, naming=naming, apart=frozenset((vectors.name,)))
    if "rule" not in offer:
        vectors.count(outcome)
        offer[VECTOR] = vector
    return offer


def _offer_of(row: dict[str, Any], *, text_field: str, naming: Naming, apart: frozenset[str]) -> dict[str, Any]:
    """Return the columns of `OFFER` for *row*. The fields *apart* are no metadata."""
    row = without_nulls(row)
    try:
        digest = row_hash(row)
    except UnicodeEncodeError:
        if any(has_lone_surrogate(row.get(name)) for name in (*text_fields(text_field), *naming.fields)):
            return _bad(capture_hash(repr(row).encode()), "encoding", "the text or the id is not valid Unicode")
        return _offer_of(without_lone_surrogates(row), text_field=text_field, naming=naming, apart=apart)
    except ValueError as error:
        return _bad(capture_hash(repr(row).encode()), "not_json", str(error))
    name = naming.name_of(row)
    source_id = name or digest
    template = template_of(text_field)
    text = value_of(row, text_field) if template is None else template.render(row)
    if template is not None and text is None:
        problem = f"has no text in {_names(list(template.fields))}"
        return _bad(digest, "no_text", f"{problem}; {_field_summary(row)}", source_id)
    if not isinstance(text, str):
        problem = f"has no field `{text_field}`" if text is None else f"field `{text_field}` is {_kind(text)}, not text"
        return _bad(digest, "no_text", f"{problem}; {_field_summary(row)}", source_id)
    if is_too_large(text):
        return _bad(digest, "too_large", f"the text is larger than {MAX_TEXT_BYTES:,} bytes", source_id)
    used = {*text_fields(text_field), *apart, *(naming.fields if name is not None else ())}
    columns = _described(row, used=used)
    columns.update(source_id=source_id, record_sha256=digest, text=text)
    return columns


def without_nulls(value: Any) -> Any:
    """Return the JSON *value* without null fields of objects."""
    if isinstance(value, dict):
        return {
            name: without_nulls(item) if isinstance(item, dict | list) else item
            for name, item in value.items()
            if item is not None
        }
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def has_lone_surrogate(value: Any) -> bool:
    """Return whether *value* is text with a lone surrogate, which UTF-8 cannot represent."""
    return isinstance(value, str) and _SURROGATE.search(value) is not None


def without_lone_surrogates(value: Any) -> Any:
    """Return the JSON *value* with U+FFFD for each lone surrogate, also in names."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {without_lone_surrogates(name): without_lone_surrogates(item) for name, item in value.items()}
    return [without_lone_surrogates(item) for item in value] if isinstance(value, list) else value


def is_too_large(text: str) -> bool:
    """Return whether *text* has more than `MAX_TEXT_BYTES` bytes in UTF-8."""
    return len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES


def timestamp(value: Any) -> datetime | None:
    """Parse the ISO 8601 text *value* (UTC by default); return None if it is invalid.

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
    return canonical_json(value).decode() if isinstance(value, int | float) else None


def _field_summary(row: dict[str, Any]) -> str:
    """Describe the fields of *row*: text fields, with the longest text first, then other fields."""
    texts = sorted((name for name in row if isinstance(row[name], str)), key=lambda name: (-len(row[name]), name))
    others = sorted(name for name in row if not isinstance(row[name], str))
    groups = (("text fields:", texts), ("other fields:", others))
    return "; ".join(f"{label} {_names(names)}" for label, names in groups if names) or "it has no fields"


def _names(names: list[str]) -> str:
    shown = ", ".join(f"`{name[:_MAX_NAME_CHARACTERS]}`" for name in names[:_MAX_NAMES])
    return shown + (", …" if len(names) > _MAX_NAMES else "")


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names[type(value)]


def _described(row: dict[str, Any], *, used: set[str]) -> dict[str, Any]:
    """Return the columns that describe the document, with the other fields as metadata."""
    columns: dict[str, Any] = {}
    for column, names, convert in _DESCRIPTIONS:
        for name in names:
            value = row.get(name)
            if isinstance(value, str) and value.strip() and (converted := convert(value)) is not None:
                columns[column] = converted
                used.add(name)
                if column == "license":
                    columns["license_source"] = f"field:{name}"
                break
    columns["metadata"] = _metadata(row, used=used) or None
    return columns


def _metadata(row: dict[str, Any], *, used: set[str]) -> dict[str, str]:
    metadata: dict[str, str] = {}
    size = 0
    for name in sorted(row.keys() - used):
        value = row[name]
        text = value if isinstance(value, str) else _json(value)
        if len(text) <= MAX_VALUE_CHARACTERS and size + len(name) + len(text) <= MAX_METADATA_CHARACTERS:
            metadata[name] = text
            size += len(name) + len(text)
    return metadata


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
"""Column, fields that can fill it, and the conversion of a field's text, which returns None for an invalid value."""
