"""Web archives: WARC (plain or compressed) and ARC.

Documents are responses with status 200 and resources, if they contain a page or text, and the texts of WET files. A
response with status 200 or a resource with another media type has the rule ``error.not_text``. A page that a crawl
rendered is read from the conversion of its response, and the response is counted as ``rendered``. All other records are
only counted, by kind.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlsplit

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from corpusmill.crawlers.loaders import warc_frames
from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import MIN_PACKED_SLICE_BYTES, Offers, Respecting, cuts
from corpusmill.crawlers.loaders.exported import Exporting
from corpusmill.crawlers.loaders.http_body import decoded_body
from corpusmill.crawlers.loaders.media import (
    DOCUMENT_TYPES,
    HEAD_BYTES,
    MAX_CONTENT_BYTES,
    looks_like_html,
)
from corpusmill.crawlers.loaders.rows import timestamp
from corpusmill.crawlers.loaders.streams import open_file, packed, refuse_shorter, sha256_of
from corpusmill.crawlers.loaders.warc_records import Record, layout, records
from corpusmill.crawlers.optouts.page import page_signals
from corpusmill.crawlers.optouts.rsl import MEDIA_TYPE as RSL_TYPE
from corpusmill.crawlers.optouts.rsl import header_licenses
from corpusmill.crawlers.optouts.site_files import site_file, site_path
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.identity import capture_hash
from corpusmill.schemas.licenses import spdx
from corpusmill.schemas.metadata import LISTED_PUBLISHED, LISTED_TITLE
from corpusmill.schemas.optout_columns import SITE_FILE
from corpusmill.schemas.optouts import AI_TXT, ROBOTS, TDMREP, as_column
from corpusmill.schemas.problems import HintedValueError
from corpusmill.schemas.urls import canonical_url

_TYPES: Final = frozenset({"warcinfo", "request", "metadata", "revisit", "continuation"})
"""Record types of WARC 1.1 §6 that are not documents; any other type is counted as ``unknown``."""
_YEAR_OR_MONTH: Final = re.compile(r"(\d{4})(?:-(\d\d))?")
_ISO_8601: Final = "{}-{}-{}T{}:{}:{}Z"
_PARTS: Final = ((4, "01"), (6, "01"), (8, "00"), (10, "00"), (12, "00"))
_SITE_KINDS: Final = {ROBOTS: "robots", TDMREP: "tdmrep", AI_TXT: "ai_txt"}
"""Kinds of the records with files of `SITE_PATHS`."""
_ROLES: Final = frozenset(("sitemap", "feed"))
"""Roles of responses that this crawler read as a listing of pages."""
_SITE_FILES: Final = 16
"""Site files in a batch: 8 MB, if all have the largest size."""
_KINDS: Final = {3: "redirect", 4: "client_error", 5: "server_error"}


class Warc(Exporting, Respecting):
    """Pages of a web archive. `offset` and `length` refer to the gzip member, or in a plain file to the record.

    Opt-outs are read from the headers and the markup of a page, and from the `robots.txt`, `tdmrep.json` and `ai.txt`
    of its site, if the source's archives have them.
    """

    about: ClassVar[About] = About(
        license="A link with `rel=license` in a page, else `license` in the recipe.",
        get="Common Crawl, at commoncrawl.org, and other web archives.",
        tried="Samples of Common Crawl, ClueWeb, warcio, jwarc and StormCrawler; ARC, WET and WAT files.",
    )
    export_suffix: ClassVar[str] = ".warc.gz"
    suffixes: ClassVar[tuple[str, ...]] = packed(".warc", ".warc.wet", ".wet", ".warc.wat", ".wat", ".arc")
    version: ClassVar[int] = 7
    depends: ClassVar[tuple[str, ...]] = ("FastWARC",)
    site_policy: ClassVar[str | None] = "corpusmill.crawlers.optouts.site:SitePolicy"

    index: str | tuple[str, ...] | None = Field(
        default=None,
        description="Files of Common Crawl's columnar index. Only the records that they name are loaded, and `path` is "
        "the folder or the URL to which `warc_filename` is relative.",
        examples=["cc-index/*.parquet"],
    )
    where: str | None = Field(
        default=None,
        min_length=1,
        max_length=20_000,
        description="Condition in SQL on the columns of `index`; null: all records.",
        examples=["url_host_tld = 'no' AND fetch_status = 200"],
    )

    @field_validator("where")
    @classmethod
    def _only_compares(cls, where: str | None) -> str | None:
        if where is not None:
            from corpusmill.crawlers.loaders.cc_where import columns_of  # duckdb takes 50 ms

            columns_of(where)
        return where

    @model_validator(mode="after")
    def _has_index(self) -> Self:
        if self.where is not None and self.index is None:
            hint = "add `index: cc-index/*.parquet`, or remove `where`"
            raise HintedValueError("`where` chooses records of an `index`, which is not set", hint=hint, at=("where",))
        return self

    @property
    def is_exporting(self) -> bool:
        """Whether `load` copies the records that an index names."""
        return self.index is not None

    def exports_of(self, addresses: Sequence[str], *, base: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield archives with the records that the index names.

        Raises:
            SourceError: The index or an archive cannot be read, or no record fits.
        """
        from corpusmill.crawlers.loaders.cc_index import archives_of, chosen

        index = self.index or ()
        captures = chosen([index] if isinstance(index, str) else index, self.where, base=base)
        if not captures:
            named = index if isinstance(index, str) else ", ".join(index)
            problem = f"no record matches `{self.where}`" if self.where else "the index has no records"
            hint = "try a part of the condition"
            raise SourceError(problem, file=named, field="where", value=self.where, hint=hint)
        yield from archives_of(captures, addresses)

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return slices at the starts of gzip members, slices by size for a plain file, and one slice otherwise."""
        match layout(path):
            case "gzip":
                with open_file(path) as file:
                    return warc_frames.slices(file, cuts(path, at_least=MIN_PACKED_SLICE_BYTES))
            case "plain":
                return cuts(path)
            case _:
                return [(0, -1)]

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the documents whose gzip member (in a plain file, the record) begins in ``[start, end)``."""
        refuse_shorter(path, end)
        offers = Offers()
        for item in records(path, start=start, end=end):
            if isinstance(item, warc_frames.Damage):
                yield from offers.add(**_broken(path, item))
            elif (kind := _kind(item)) is None:
                yield from offers.add(**_offer(item))
            elif counts is not None:
                counts[kind] += 1
        refuse_shorter(path, end)
        yield from offers.rest()

    def site_files(self, path: str, *, start: int = 0, end: int = -1) -> Iterator[pa.RecordBatch]:
        """Yield the site files whose record begins in ``[start, end)``. Files that cannot be decoded are left out."""
        rows: list[dict[str, Any]] = []
        for item in records(path, start=start, end=end):
            if isinstance(item, Record) and (row := _site_file(item)) is not None:
                rows.append(row)
            if len(rows) >= _SITE_FILES:
                yield pa.RecordBatch.from_pylist(rows, schema=SITE_FILE)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=SITE_FILE)


def _site_file(record: Record) -> dict[str, Any] | None:
    """Return the columns of `SITE_FILE` for *record*; None if it says nothing about its site."""
    if record.type not in ("response", "resource") or site_path(record.url) is None:
        return None
    response = record.response
    if (record.type == "response" and response is None) or record.block.is_short or record.block.hash_of_all:
        return None
    media_type = response.media_type if response else record.media_type.partition(";")[0].strip().lower()
    try:
        status = response.status if response else 200
        row = site_file(record.url, status=status, media_type=media_type, body=lambda: _body(record)[1])
    except DataError:
        return None
    return None if row is None else {**row, "fetched_at": _time(record.date)}


def _kind(record: Record) -> str | None:
    """Return the kind under which *record* is counted, or None if it is a document."""
    if record.type == "conversion":
        return None
    if record.type == "resource":
        is_about = record.url.startswith("metadata:")
        return "metadata" if is_about else _SITE_KINDS.get(site_path(record.url) or "")
    if record.type != "response":
        return record.type if record.type in _TYPES else "unknown"
    if record.response is None:
        return "not_http"
    if _path(record.url) == ROBOTS:
        return "robots"
    if (path := site_path(record.url)) is not None:
        return _SITE_KINDS[path]
    if record.role in _ROLES:
        return record.role
    if record.response.status == 200:
        return "rendered" if record.is_rendered else None
    return _KINDS.get(record.response.status // 100, "other_status")


def _path(url: str) -> str:
    """Return the path of *url*; empty if *url* is invalid, such as ``http://[bad/``."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _offer(record: Record) -> dict[str, Any]:
    """Return the columns of `OFFER` for *record*, which is a document."""
    digest = None
    try:
        if record.block.is_short:
            raise DataError("the record ends before its length", kind="truncated")
        if record.block.hash_of_all:
            raise DataError(
                f"the record has {record.block.length:,} bytes, too many for one document", kind="too_large"
            )
        media_type, body = _body(record)
        digest = capture_hash(body)
        columns = {**_license(record), **_content(record, media_type, body)}
        columns["optouts"] = _optouts(record, media_type, body)
    except DataError as error:
        digest = digest or record.block.hash_of_all or capture_hash(record.block.data)
        columns = {"rule": error.rule, "message": error.message}
    return {
        "source_id": _source_id(record.url) or digest,
        "record_sha256": digest,
        "url": record.url or None,
        "fetched_at": _time(record.date),
        "metadata": _metadata(record) or None,
        "offset": record.offset,
        "length": record.length,
    } | columns


def _metadata(record: Record) -> dict[str, str]:
    """Return what the archive says about *record*: why it is cut, its languages, and its entry in a news sitemap."""
    known = {
        "language": record.languages.lower(),
        "warc_truncated": record.cut,
        LISTED_PUBLISHED: record.listed_date,
        LISTED_TITLE: record.listed_title,
    }
    return {name: value for name, value in known.items() if value}


def _license(record: Record) -> dict[str, str]:
    """Return the license in the `Link` headers of *record*, as columns; several licenses say nothing about the text."""
    fields = record.response.fields if record.response else ()
    licenses = header_licenses([value for name, value in fields if name == "link"])
    names = {spdx(address) for address, kind in licenses if kind != RSL_TYPE}
    identifier = names.pop() if len(names) == 1 else None
    return {} if identifier is None else {"license": identifier, "license_source": "header:Link"}


def _optouts(record: Record, media_type: str, body: bytes) -> list[dict[str, Any]] | None:
    """Return the signals in the headers and the markup of *record*, as a value of the column `optouts`."""
    if record.type == "conversion" and record.response is None:
        return None
    fields = record.response.fields if record.response else ()
    return as_column(page_signals(fields, body, media_type=media_type, captured_at=_time(record.date)))


def _body(record: Record) -> tuple[str, bytes]:
    """Return the media type, with its parameters, and the decoded body of *record*."""
    block, response = record.block.data, record.response
    if response is None:
        return record.media_type, bytes(block)
    is_cut = bool(record.cut)
    body = decoded_body(bytes(block[response.head_bytes :]), response, max_bytes=MAX_CONTENT_BYTES, is_cut=is_cut)
    return response.headers.get("content-type", ""), body


def _content(record: Record, media_type: str, body: bytes) -> dict[str, Any]:
    """Return the columns with the content of the document.

    Raises:
        DataError: ``empty``, ``not_text``, or ``encoding`` for the text of a WET file.
    """
    if not body or body.isspace():
        raise DataError("the body is empty", kind="empty")
    if record.type == "conversion" and record.response is None:
        return {"text": decode_text(body)}
    kind = media_type.partition(";")[0].strip().lower()
    if not kind:
        media_type = kind = "text/html" if looks_like_html(body) else "text/plain"
    if kind not in DOCUMENT_TYPES:
        raise DataError(f"{kind} is neither a page nor text", kind="not_text")
    if is_binary(body[:HEAD_BYTES]) and "utf-16" not in media_type.lower():
        raise DataError(f"the media type is {kind}, but the body is binary", kind="not_text")
    return {"content": body, "media_type": media_type}


def _source_id(url: str) -> str:
    """Return the canonical form of *url*, or *url* itself if it is not a web address."""
    try:
        return canonical_url(url)
    except ValueError:
        return url


def _time(date: str) -> datetime | None:
    """Parse a WARC-Date or the digits of an ARC file; a day, month or year means its beginning.

    >>> _time("2024"), _time("20070102030405")
    (datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), \
datetime.datetime(2007, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc))
    """
    date = date.strip()
    if date.isdecimal() and date.isascii() and 4 <= len(date) <= 17:
        date = _ISO_8601.format(*_parts(date))
    elif match := _YEAR_OR_MONTH.fullmatch(date):
        date = f"{match[1]}-{match[2] or '01'}-01"
    return timestamp(date)


def _parts(digits: str) -> list[str]:
    """Split *digits* into year, month, day, hour, minute and second; missing parts have their lowest value."""
    return [digits[:4], *(digits[at : at + 2] or lowest for at, lowest in _PARTS)]


def _broken(path: str, damage: warc_frames.Damage) -> dict[str, Any]:
    digest = sha256_of(path, start=damage.offset, end=damage.end)
    return {
        "source_id": digest,
        "record_sha256": digest,
        "rule": f"error.{damage.kind}",
        "message": damage.message,
        "offset": damage.offset,
        "length": damage.end - damage.offset,
    }
