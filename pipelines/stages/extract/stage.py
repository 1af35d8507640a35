"""The stage `extract`: turns captures with `content` into documents with `text`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, Stage, Transform, reject
from corpusmill.pipelines.stages.extract.options import Options, Selectors
from corpusmill.schemas.dates import last_day
from corpusmill.schemas.dates import stated as stated_date
from corpusmill.schemas.metadata import LISTED_PUBLISHED, LISTED_TITLE, metadata_column, metadata_dicts
from corpusmill.schemas.selectors import SELECTORS

if TYPE_CHECKING:
    from corpusmill.pipelines.stages.extract.metadata import Metadata

_FILLED: Final = ("title", "published_at")
_COLUMNS: Final = {"title": "title", "published": "published_at"}
"""Metadata with a column of its own; `metadata` records its source."""
_LISTED: Final = {"title": LISTED_TITLE, "published_at": LISTED_PUBLISHED}
"""Columns that a news sitemap fills where the page states nothing, with the keys of what it says."""
_KEYS: Final = {
    **{name: name for name in ("authors", "modified", "site", "canonical")},
    **{name: name for name in ("license_url", "license_scope", "picture_license", "section", "is_accessible_for_free")},
    "language": "declared_language",
}
"""Metadata stored in `metadata`, by key."""


_READER: Final = 5
"""The version of the C reader (`READER_VERSION` in `page.h`) that this stage is written for."""


class Extract(Stage, Options):
    """Extract the main text and the metadata of web pages.

    Records that already have text pass unchanged. Columns that a source has set are kept; `title`, `published_at` and
    `license` (with `license_source`) are set where they are null, and a license that a page states replaces that of the
    recipe. The keys `authors`, `modified`, `site`, `canonical`, `declared_language`, `license_url`, `license_scope`
    (`site` if the license is stated for the whole site), `picture_license`, `section` and `is_accessible_for_free`
    (`true` or `false`) are added to `metadata` where they are missing, and for each value taken from the page a key
    that ends in `_source` and names its origin (`published_at_source`). `content` is null afterwards.

    Where a page states no title or date, those in the news sitemap by which the crawl found it are used; their source
    is `sitemap:news`. Where a page shows only a part of the article whose whole text is in its JSON-LD (`articleBody`),
    or nothing, because scripts write it, the text is that of JSON-LD, unless the article is not free to read.

    The text is what a reader can see or open: without hidden elements, closed dialogs and ruby annotations, with the
    quotation marks of `<q>` and exponents as `10⁶`. `published_at` is a date that the page declares for itself or that
    is in its byline, not a date of a comment, of another page, in a sentence, or after `fetched_at`.

    A source may have its own `select` and `drop`, which hold for its pages only. Its `select` replaces the one of this
    stage; unlike here, a page without a match is rejected.

    Rejects as `extract.no_match`, `extract.empty`, `extract.too_short` (value and threshold in characters),
    `error.too_large`, `error.too_complex`, `error.not_html`.
    """

    version: ClassVar[int] = 8
    depends: ClassVar[tuple[str, ...]] = ("beautifulsoup4", "soupsieve")
    data: ClassVar[tuple[str, ...]] = ("main_text.model", "../../../schemas/decoding/letters.model")
    card_line: ClassVar[str | None] = "extracts the main text of pages and drops navigation, advertising and markup"

    min_characters: int = Field(default=0, ge=0, description="Minimum number of characters in the text of a page.")

    def reads(self) -> tuple[str, ...]:
        """Return the captured bytes and what describes them. `fetched_at` bounds the date of publication."""
        return ("content", "url", "media_type", "fetched_at", SELECTORS)

    def changes(self) -> tuple[str, ...]:
        """Return the text and the metadata columns."""
        return ("content", "text", *_FILLED, "license", "license_source", "metadata")

    def rules(self) -> tuple[str, ...]:
        """Return the rules for pages without enough text."""
        return ("extract.no_match", "extract.empty", "extract.too_short")

    def build(self) -> Transform:
        """Load reader and model and return the function.

        Raises:
            DamagedFileError: One of them is damaged or has the wrong version.
        """
        from corpusmill.pipelines.stages.extract.model_file import check_reader, shipped
        from corpusmill.pipelines.stages.extract.page import extract_page

        check_reader(_READER)
        shipped()

        @cache
        def of_source(selectors: str | None) -> Selectors:
            return Selectors() if selectors is None else Selectors.model_validate_json(selectors)

        def read(
            content: bytes, url: str | None, media_type: str | None, fetched_at: datetime | None, selectors: str | None
        ) -> _Reading:
            own = of_source(selectors)
            options = self.of_source(own)
            reading = _reading(
                lambda: extract_page(content, url, media_type=media_type, options=options, fetched_at=fetched_at)
            )
            if own.select and reading.page is not None and not reading.page.is_selected:
                return _Reading(kind="extract.no_match", error=f"no element matches {', '.join(own.select)}"[:200])
            return reading

        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            readings = [
                read(content, *arguments) if content is not None else _UNTOUCHED
                for content, *arguments in zip(*(_python(batch[name]) for name in self.reads()), strict=True)
            ]
            return _judged(_filled(batch, readings), readings, self.min_characters)

        return transform


class _Reading:
    """The result of reading one record: a page, or an error."""

    __slots__ = ("error", "kind", "page")

    def __init__(self, page: Any = None, *, kind: str | None = None, error: str | None = None) -> None:
        self.page, self.kind, self.error = page, kind, error


_UNTOUCHED: Final = _Reading()


def _reading(extract: Callable[[], Any]) -> _Reading:
    from corpusmill.schemas.errors import DataError

    try:
        return _Reading(extract())
    except DataError as error:
        return _Reading(kind=error.rule, error=error.message)


def _python(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values


def _filled(batch: pa.RecordBatch, readings: Sequence[_Reading]) -> pa.RecordBatch:
    """Return *batch* with texts and metadata of the pages, without content, and with the bytes added."""
    was_read = np.fromiter((reading is not _UNTOUCHED for reading in readings), np.bool_, len(readings))
    before = _bytes(batch["text"])
    text = pa.array([reading.page.text if reading.page else None for reading in readings], pa.string())
    columns = {"text": pc.if_else(pa.array(was_read), text, batch["text"])}
    listed = _listed(batch, readings)
    for name in _FILLED:
        stated = _coalesced(batch[name], [_evidence(reading, name) for reading in readings])
        columns[name] = _coalesced(stated, [entry.get(name) for entry in listed])
    columns |= _licenses(batch, readings)
    columns["metadata"] = _metadata(batch, readings, listed)
    columns["content"] = pa.nulls(batch.num_rows, batch.schema.field("content").type)
    for name, column in columns.items():
        batch = batch.set_column(batch.schema.get_field_index(name), batch.schema.field(name), column)
    after = _bytes(batch["text"])
    batch = batch.append_column(TEXT_ADDED, pa.array(np.maximum(after - before, 0)))
    return batch.append_column(TEXT_CUT, pa.array(np.maximum(before - after, 0)))


def _bytes(text: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(pc.fill_null(pc.binary_length(text), 0)).astype(np.int64)


def _evidence(reading: _Reading, name: str) -> str | datetime | None:
    """Return the value that a page states for the column *name*."""
    if reading.page is None:
        return None
    stated: Metadata = reading.page.metadata
    if name == "license_source":
        return f"page:{stated.license.source}" if stated.license else None
    statement = stated.published if name == "published_at" else getattr(stated, name)
    value: str | datetime | None = statement.value if statement else None
    return value


def _listed(batch: pa.RecordBatch, readings: Sequence[_Reading]) -> list[dict[str, Any]]:
    """Return the title and the date of publication in a news sitemap for each page; a later date is left out."""
    keys = pc.struct_field(pc.list_flatten(batch["metadata"]), "key")
    if not pc.any(pc.is_in(keys, value_set=pa.array(list(_LISTED.values())))).as_py():
        return [{}] * batch.num_rows
    entries: list[dict[str, Any]] = []
    for reading, metadata, fetched_at in zip(
        readings, metadata_dicts(batch["metadata"]), _python(batch["fetched_at"]), strict=True
    ):
        values: dict[str, Any] = {}
        for name, key in _LISTED.items():
            if reading.page is not None and metadata and (text := metadata.get(key)):
                values[name] = text if name == "title" else stated_date(text)
        if (day := values.get("published_at")) is not None and day > last_day(fetched_at):
            values["published_at"] = None
        entries.append(values)
    return entries


def _licenses(batch: pa.RecordBatch, readings: Sequence[_Reading]) -> dict[str, pa.Array]:
    """Return license and source: those of the record, else those that the page states, else those of the recipe."""
    stated = pa.array([_evidence(reading, "license") for reading in readings], pa.string())
    is_of_record = pc.and_(
        pc.is_valid(batch["license"]), pc.fill_null(pc.not_equal(batch["license_source"], "recipe"), fill_value=True)
    )
    is_kept = pc.or_(is_of_record, pc.is_null(stated))
    sources = pa.array([_evidence(reading, "license_source") for reading in readings], pa.string())
    return {
        "license": pc.if_else(is_kept, batch["license"], stated),
        "license_source": pc.if_else(is_kept, batch["license_source"], sources),
    }


def _coalesced(column: pa.Array, values: Sequence[Any]) -> pa.Array:
    return pc.coalesce(column, pa.array(values, column.type))


def _metadata(batch: pa.RecordBatch, readings: Sequence[_Reading], listed: Sequence[dict[str, Any]]) -> pa.Array:
    """Return the metadata with the keys added by the pages, and by the news sitemaps *listed*. Existing keys stay."""
    column = batch["metadata"]
    if all(reading.page is None for reading in readings):
        return column
    filled = {key: _python(pc.is_valid(batch[key])) for key in _COLUMNS.values()}
    merged: list[dict[str, str] | None] = []
    for row, (before, reading) in enumerate(zip(metadata_dicts(column), readings, strict=True)):
        entries = dict(before or {})
        if reading.page is not None:
            known = {*entries, *(key for key, is_filled in filled.items() if is_filled[row])}
            entries |= _stated(reading.page.metadata, known)
            for name, value in listed[row].items():
                if value is not None and name not in known:
                    entries.setdefault(f"{name}_source", "sitemap:news")
        merged.append(entries if entries or before is not None else None)
    return metadata_column(merged)


def _stated(metadata: Metadata, known: Collection[str]) -> dict[str, str]:
    """Return the metadata that a page states beyond the *known* keys, and the source of each value.

    >>> from corpusmill.pipelines.stages.extract.found import Found
    >>> from corpusmill.pipelines.stages.extract.metadata import Metadata
    >>> _stated(Metadata(title=Found("Tea", "html:title"), authors=Found(("Ann", "Bo"), "meta:author")), {"title"})
    {'authors': 'Ann; Bo', 'authors_source': 'meta:author'}
    """
    entries: dict[str, str] = {}
    for name, (value, source) in metadata.as_text().items():
        key = _COLUMNS.get(name) or _KEYS.get(name)
        if key is None or key in known:
            continue
        if name in _KEYS:
            entries[key] = value
        entries[f"{key}_source"] = source
    return entries


def _judged(batch: pa.RecordBatch, readings: Sequence[_Reading], min_characters: int) -> pa.RecordBatch:
    """Return *batch* with verdicts on unreadable records and on pages without enough text."""
    broken = np.array([reading.kind is not None for reading in readings], np.bool_)
    if broken.any():
        kinds = pa.array([reading.kind for reading in readings], pa.string())
        batch = reject(
            batch, broken, rule=kinds, message=pa.array([reading.error for reading in readings], pa.string())
        )
    read = np.array([reading.page is not None for reading in readings], np.bool_)
    length = np.asarray(pc.fill_null(pc.utf8_length(batch["text"]), 0)).astype(np.int64)
    batch = reject(batch, read & (length == 0), rule="extract.empty")
    short = read & (length < min_characters)
    return reject(batch, short, rule="extract.too_short", value=length.astype(float), threshold=float(min_characters))
