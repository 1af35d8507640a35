"""CSV and TSV: one record per row."""

from __future__ import annotations

import codecs
import io
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO, ClassVar, Final, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import MIN_SLICE_BYTES, Offers, cuts
from corpusmill.crawlers.loaders.csv_dialect import Dialect, first_rows, sniff
from corpusmill.crawlers.loaders.csv_lines import CsvRecord, csv_records
from corpusmill.crawlers.loaders.files import ENCODING_DESCRIPTION, known_encoding
from corpusmill.crawlers.loaders.rows import FILE, TEXT_FIELD_DESCRIPTION, RowLoader, offer_of
from corpusmill.crawlers.loaders.streams import (
    file_size,
    is_compressed,
    open_decompressed,
    open_file,
    packed,
    refuse_shorter,
    sha256_of,
)
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.decoding.texts import codec_of_text
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.problems import nearest

_HEAD_BYTES: Final = 1 << 20
_BLOCK_BYTES: Final = 16 << 20
_OTHER_FORMATS: Final = (b"<", b"{", b"[{", b"%PDF", b"PK\x03\x04", b"PAR1")
_WIDE: Final = ("utf-16", "utf-32")


class _Layout(NamedTuple):
    """What the beginning of a file says about all of it: encoding, dialect, columns, and where the records begin."""

    codec: str
    dialect: Dialect
    columns: tuple[str, ...]
    first: int
    has_cr_lines: bool
    width: int


class Csv(RowLoader):
    """Rows of text with a header, or with `columns`. Delimiter (`,`, `;`, `|` or tab) and encoding are recognized.

    Quoted fields may have line breaks. Empty fields count as missing. A row with more fields than columns is
    `error.ragged`, and missing fields at the end of a row are empty. Without a header, name the `columns`.
    """

    suffixes: ClassVar[tuple[str, ...]] = packed(".csv", ".tsv", ".tab")
    about: ClassVar[About] = About(
        license="A column `license`, else `license` in the recipe.",
        get="Spreadsheets and databases export these files.",
        tried="Exports of Excel (`sep=;`, UTF-16), MySQL (escaped quotes) and pandas; ragged rows, quotes without end.",
    )

    text_field: str = Field(default="text", min_length=1, description=TEXT_FIELD_DESCRIPTION)
    id_field: str | None = Field(
        default="id", min_length=1, description="Column with the id of a record; it may be missing.", examples=["id"]
    )
    encoding: str | None = Field(default=None, description=ENCODING_DESCRIPTION, examples=["windows-1252"])
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="Character between fields; null: recognized.",
        examples=[";"],
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Names of the columns of files without a header.",
        examples=[["id", "text"]],
    )

    _encoding = field_validator("encoding")(known_encoding)

    @classmethod
    def sample(cls, path: str) -> list[dict[str, Any]]:
        """Return the rows in the first MiB of the file at *path*."""
        layout = _layout(path, cls())
        with open_decompressed(path) as stream:
            text = _beginning(stream).decode(layout.codec, "replace").removeprefix("\ufeff")
        rows = first_rows(text, layout.dialect)[1:]
        return [{name: value for name, value in zip(layout.columns, row, strict=False) if value} for row in rows]

    def check(self, path: str) -> None:
        """Check the header; a file that is no table is set aside when it is read."""
        try:
            layout = _layout(path, self)
        except DataError:
            return
        names = self.text_names
        if not any(name in layout.columns or name.partition(".")[0] in layout.columns for name in names):
            self._refuse(names[0], "text_field", layout.columns, path)
        for part in self.id_from or ():
            if part != FILE and part not in layout.columns:
                self._refuse(part, "id_from", layout.columns, path)

    def _refuse(self, name: str, key: str, columns: tuple[str, ...], path: str) -> None:
        shown = ", ".join(f"`{column}`" for column in columns[:20])
        close = nearest(name, columns)
        hint = f"{key}: {close}" if close else "name a column with text, or set `columns` for files without a header"
        raise SourceError(f"has no column `{name}`; it has {shown}", file=path, field=key, value=name, hint=hint)

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return slices that begin with a record; one if the file is compressed, or has quotes within fields."""
        try:
            if is_compressed(path) or file_size(path) <= MIN_SLICE_BYTES:
                return [(0, -1)]
            layout = _layout(path, self)
        except DataError:
            return [(0, -1)]
        if layout.has_cr_lines or layout.codec.startswith(_WIDE) or layout.dialect.escape is not None:
            return [(0, -1)]
        starts = _record_starts(path, [start for start, _ in cuts(path)[1:]], layout)
        edges = sorted({0, *starts, file_size(path)})
        return list(pairwise(edges)) if starts else [(0, -1)]

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records that begin in ``[start, end)``, where *start* is the beginning of one."""
        offers = Offers()
        naming, vectors = self.naming(name, counts), self.vectors(counts)
        try:
            if end > 0 and not is_compressed(path):
                refuse_shorter(path, end)
            layout = _layout(path, self)
            self._refuse_other_table(layout)
            with _opened(path, layout, start) as stream:
                first = max(start, layout.first)
                codec = "utf-8" if layout.codec.startswith(_WIDE) else layout.codec
                for record in csv_records(stream, layout.dialect, codec=codec, start=first, end=end):
                    row, record = _row(record, layout)
                    if row is None:
                        yield from offers.add(**_set_aside(record, name))
                        continue
                    offer = offer_of(row, text_field=self.text_field, naming=naming, vectors=vectors)
                    yield from offers.add(**offer, offset=record.offset, length=record.length)
        except DataError as error:
            if start == 0 or error.kind in {"truncated", "damaged"}:
                digest = sha256_of(path)
                message = f"{name}: {error.message}"
                yield from offers.add(source_id=digest, record_sha256=digest, rule=error.rule, message=message)
        yield from offers.rest()

    def _refuse_other_table(self, layout: _Layout) -> None:
        names = self.text_names
        if not any(name in layout.columns or name.partition(".")[0] in layout.columns for name in names):
            raise DataError(f"the table has no column `{names[0]}`", kind="no_text")


def _row(record: CsvRecord, layout: _Layout) -> tuple[dict[str, Any] | None, CsvRecord]:
    """Return the row of *record*, or None and the record with the reason why it is set aside."""
    if record.fields is None:
        return None, record
    extra = record.fields[layout.width :]
    if any(field.strip() for field in extra):
        message = f"the row has {len(record.fields)} fields, but the table has {layout.width} columns"
        return None, record._replace(kind="ragged", message=message)
    return {name: value for name, value in zip(layout.columns, record.fields, strict=False) if value}, record


def _set_aside(record: CsvRecord, name: str) -> dict[str, Any]:
    return {
        "source_id": record.sha256,
        "record_sha256": record.sha256,
        "rule": f"error.{record.kind}",
        "message": f"{name}: {record.message}",
        "offset": record.offset,
        "length": record.length,
    }


def _layout(path: str, loader: Csv) -> _Layout:
    """Return the layout of the file at *path*.

    Raises:
        DataError: The file is empty, or no table.
    """
    with open_decompressed(path) as stream:
        data = _beginning(stream)
    is_cut = len(data) == _HEAD_BYTES
    if not data.strip():
        raise DataError("the file is empty", kind="empty")
    if is_binary(data) and not (codec_of(loader.encoding or "") or "").startswith(_WIDE):
        raise DataError("the content is binary, not a table of text", kind="not_text")
    codec = codec_of_text(_whole_lines(data) if is_cut else data, encoding=loader.encoding)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_OTHER_FORMATS):
        raise DataError(
            f"begins with `{data.strip()[:12].decode('ascii', 'replace')}`, not with a header", kind="not_csv"
        )
    text = data.decode(codec, "replace")
    mark = 1 if text.startswith("\ufeff") else 0
    text = text[mark:]
    has_cr_lines = "\n" not in text and "\r" in text
    names = (*loader.text_names, loader.id_field or "id")
    width = None if loader.columns is None else len(loader.columns)
    dialect = sniff(text, delimiter=loader.delimiter, names=names, columns=width, is_cut=is_cut)
    rows = first_rows(text, dialect, is_cut=is_cut)
    if not rows:
        raise DataError("no row can be read", kind="not_csv")
    columns = loader.columns or tuple(_distinct(rows[0]))
    encoded = "utf-8" if codec.startswith(_WIDE) else codec
    skipped = len(text[: dialect.skipped].encode(encoded)) + (3 if mark and encoded == "utf-8" else 0)
    if loader.columns is None:
        with _opened(path, _Layout(codec, dialect, (), 0, has_cr_lines, 0), 0) as lines:
            lines.read(skipped)
            header = next(csv_records(lines, dialect, codec=encoded, start=skipped, end=-1), None)
        if header is None:
            raise DataError("the header cannot be read", kind="not_csv")
        skipped = header.offset + header.length
    return _Layout(codec, dialect, columns, skipped, has_cr_lines, max(len(columns), len(rows[0])))


def _beginning(stream: BinaryIO) -> bytes:
    """Return the first bytes of *stream*; a compressed one may break off before."""
    data = b""
    while len(data) < _HEAD_BYTES:
        try:
            piece = stream.read1(_HEAD_BYTES - len(data))  # type: ignore[attr-defined]
        except DataError:
            if not data:
                raise
            break
        if not piece:
            break
        data += piece
    return data


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1] or data


def _distinct(names: list[str]) -> Iterator[str]:
    """Yield the names of a header; a missing or repeated one gets the number of its column."""
    taken: set[str] = set()
    for number, name in enumerate(names, 1):
        name = name.strip() or f"column_{number}"
        name = f"{name}_{number}" if name in taken else name
        taken.add(name)
        yield name


def _opened(path: str, layout: _Layout, start: int) -> BinaryIO:
    """Open the file at its first record, or at *start*; UTF-16 and lines that end with CR are converted."""
    first = max(start, layout.first)
    if layout.codec.startswith(_WIDE) or layout.has_cr_lines:
        stream: BinaryIO = io.BufferedReader(_Converted(open_decompressed(path), layout), 1 << 18)
        stream.read(first)
        return stream
    stream = open_decompressed(path)
    if is_compressed(path):
        stream.read(first)
    else:
        stream.seek(first)
    return stream


class _Converted(io.RawIOBase):
    """A stream in UTF-8 with line feeds. UTF-16 without a valid pair becomes U+FFFD."""

    def __init__(self, stream: BinaryIO, layout: _Layout) -> None:
        self._stream = stream
        self._is_wide = layout.codec.startswith(_WIDE)
        self._decoder = codecs.getincrementaldecoder(layout.codec)("replace")
        self._has_cr_lines = layout.has_cr_lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            data = self._stream.read1(1 << 18)  # type: ignore[attr-defined]
            if not data:
                return 0
            if self._is_wide:
                data = self._decoder.decode(data).removeprefix("\ufeff").encode()
            self._rest = data.replace(b"\r", b"\n") if self._has_cr_lines else data
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()


def _record_starts(path: str, wanted: list[int], layout: _Layout) -> list[int]:
    """Return the beginnings of the first records after each of *wanted*; empty if quotes do not mark fields only.

    A line break is the end of a record if the number of quotes before it is even, provided that every quote is at
    the edge of a field or doubled.
    """
    edges = np.zeros(256, bool)
    edges[list(f'{layout.dialect.delimiter}\r\n"'.encode())] = True
    starts: list[int] = []
    position, parity, previous = 0, 0, b"\n"
    with open_file(path) as file:
        while block := file.read(_BLOCK_BYTES):
            following = file.peek(1)[:1] or b"\n"
            data = np.frombuffer(previous + block + following, np.uint8)
            quotes = np.flatnonzero(data[1:-1] == ord('"')) + 1
            if not (edges[data[quotes - 1]] | edges[data[quotes + 1]]).all():
                return []
            begin = 0
            while wanted and wanted[0] < position + len(block):
                begin = block.find(b"\n", max(begin, wanted[0] - position))
                if begin < 0:
                    break
                if (parity + int(np.searchsorted(quotes, begin + 1))) % 2 == 0:
                    starts.append(position + begin + 1)
                    wanted = wanted[1:]
                begin += 1
            parity += len(quotes)
            position += len(block)
            previous = block[-1:]
    return [start for start in dict.fromkeys(starts) if layout.first < start < position]
