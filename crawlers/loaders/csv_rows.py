"""CSV and TSV: one record per row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar, Final, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import MIN_SLICE_BYTES, Offers, cuts
from corpusmill.crawlers.loaders.csv_dialect import first_rows
from corpusmill.crawlers.loaders.csv_layout import Chosen, Layout, beginning, layout_of, opened
from corpusmill.crawlers.loaders.csv_lines import COMMENTS, CsvRecord, csv_records
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
from corpusmill.schemas.errors import DataError, SourceError
from corpusmill.schemas.problems import nearest

_BLOCK_BYTES: Final = 16 << 20
_NULL: Final = r"\N"
"""How MySQL and PostgreSQL write a missing value."""


class Csv(RowLoader):
    """Rows of text with a header, or with `columns`. Delimiter (`,`, `;`, `|` or tab) and encoding are recognized.

    So are quotes (`"` or `'`, doubled or after a backslash), and lines before the header: `sep=;`, comments (`#`), and
    titles. Quoted fields may have line breaks. Empty fields count as missing. A row with more fields than columns is
    `error.ragged`, and missing fields at the end of a row are empty. Without a header, name the `columns`.
    """

    version: ClassVar[int] = 2
    suffixes: ClassVar[tuple[str, ...]] = packed(".csv", ".tsv", ".tab")
    about: ClassVar[About] = About(
        license="A column `license`, else `license` in the recipe.",
        get="Spreadsheets and databases export these files.",
        tried="Exports of Excel (`sep=;`, UTF-16), MySQL (`\\N`) and pandas; 1,500 files made in 19 encodings.",
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
    quote: Literal['"', "'"] | None = Field(
        default=None, description="Character around fields; null: recognized.", examples=["'"]
    )
    columns: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Names of the columns of files without a header.",
        examples=[["id", "text"]],
    )

    _encoding = field_validator("encoding")(known_encoding)

    @property
    def _chosen(self) -> Chosen:
        names = (*self.text_names, self.id_field or "id")
        return Chosen(names, self.encoding, self.delimiter, self.quote, self.columns)

    @classmethod
    def sample(cls, path: str) -> list[dict[str, Any]]:
        """Return the rows in the first MiB of the file at *path*."""
        layout = layout_of(path, cls()._chosen)
        with open_decompressed(path) as stream:
            text = beginning(stream).decode(layout.codec, "replace").removeprefix("\ufeff")
        rows = first_rows(text, layout.dialect)[1:]
        return [{name: value for name, value in zip(layout.columns, row, strict=False) if value} for row in rows]

    def check(self, path: str) -> None:
        """Check the header; a file that is no table is set aside when it is read."""
        try:
            layout = layout_of(path, self._chosen)
        except DataError:
            return
        if any("\ufffd" in name for name in layout.columns):  # a damaged header, not a mistake of the recipe
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
            layout = layout_of(path, self._chosen)
        except DataError:
            return [(0, -1)]
        dialect = layout.dialect
        if layout.has_cr_lines or layout.is_converted or dialect.escape is not None or dialect.has_spaces:
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
            layout = layout_of(path, self._chosen)
            self._refuse_other_table(layout)
            with opened(path, layout, start) as stream:
                first = max(start, layout.first)
                for record in csv_records(
                    stream, layout.dialect, encoded=layout.encoded, width=layout.width, start=first, end=end
                ):
                    if record.kind == COMMENTS:
                        if counts is not None:
                            counts[COMMENTS] += 1
                        continue
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

    def _refuse_other_table(self, layout: Layout) -> None:
        names = self.text_names
        if not any(name in layout.columns or name.partition(".")[0] in layout.columns for name in names):
            raise DataError(f"the table has no column `{names[0]}`", kind="no_text")


def _row(record: CsvRecord, layout: Layout) -> tuple[dict[str, Any] | None, CsvRecord]:
    """Return the row of *record*, or None and the record with the reason why it is set aside."""
    if record.fields is None:
        return None, record
    extra = record.fields[layout.width :]
    if any(field.strip() for field in extra):
        message = f"the row has {len(record.fields)} fields, but the table has {layout.width} columns"
        return None, record._replace(kind="ragged", message=message)
    fields = zip(layout.columns, record.fields, strict=False)
    return {name: value for name, value in fields if value not in {"", _NULL}}, record


def _set_aside(record: CsvRecord, name: str) -> dict[str, Any]:
    return {
        "source_id": record.sha256,
        "record_sha256": record.sha256,
        "rule": f"error.{record.kind}",
        "message": f"{name}: {record.message}",
        "offset": record.offset,
        "length": record.length,
    }


def _record_starts(path: str, wanted: list[int], layout: Layout) -> list[int]:
    """Return the beginnings of the first records after each of *wanted*; empty if quotes do not mark fields only.

    A line break is the end of a record if the number of quotes before it is even, provided that every quote is at
    the edge of a field or doubled, and is closed.
    """
    quote = (layout.dialect.quote or "\0").encode()
    edges = np.zeros(256, bool)
    edges[list(f"{layout.dialect.delimiter}\r\n".encode() + quote)] = True
    starts: list[int] = []
    position, parity, previous = 0, 0, b"\n"
    with open_file(path) as file:
        while block := file.read(_BLOCK_BYTES):
            following = file.peek(1)[:1] or b"\n"
            data = np.frombuffer(previous + block + following, np.uint8)
            quotes = np.flatnonzero(data[1:-1] == quote[0]) + 1
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
    if parity % 2:
        return []
    return [start for start in dict.fromkeys(starts) if layout.first < start < position]
