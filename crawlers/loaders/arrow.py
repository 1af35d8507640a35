"""Arrow: IPC files, streams, and Feather."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.arrow_values import is_text, values
from corpusmill.crawlers.loaders.base import Offers
from corpusmill.crawlers.loaders.rows import TEXT_FIELD_DESCRIPTION, RowLoader, offer_of
from corpusmill.crawlers.loaders.streams import open_decompressed, packed, sha256_of
from corpusmill.crawlers.loaders.table_columns import require_columns
from corpusmill.crawlers.loaders.vectors import float32_rows
from corpusmill.schemas.errors import DataError

_FILE_MAGIC = b"ARROW1"
_STREAM_MARK = b"\xff\xff\xff\xff"
_FEATHER_1 = b"FEA1"
_MAX_ROWS = 1024
_SAMPLE_ROWS = 200


class Arrow(RowLoader):
    """Rows of an Arrow IPC file, an IPC stream, or a Feather file (version 2), also compressed.

    Values are as in `parquet`.
    """

    suffixes: ClassVar[tuple[str, ...]] = (*packed(".arrow", ".arrows", ".ipc"), ".feather")
    about: ClassVar[About] = About(
        license="A column `license`, else `license` in the recipe.",
        get="Polars, pandas, pyarrow and Hugging Face `datasets` write these files.",
        tried="Files of pyarrow: IPC file and stream, Feather, with LZ4 and zstd, truncated and damaged ones.",
    )

    text_field: str = Field(default="text", min_length=1, description=TEXT_FIELD_DESCRIPTION)
    id_field: str | None = Field(
        default=None, min_length=1, description="Column with the id of a record; `id` if it exists.", examples=["id"]
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is an IPC file or an IPC stream."""
        return head.startswith(_FILE_MAGIC) or (head[:4] == _STREAM_MARK and head[8:12] == b"\x10\0\0\0")

    @classmethod
    def sample(cls, path: str) -> list[dict[str, Any]]:
        """Return the rows of the first batch of the file at *path*, with the columns of texts and whole numbers."""
        with _stream(path) as rows:
            names = [field.name for field in rows.schema if is_text(field.type) or pa.types.is_integer(field.type)]
            batch = next(iter(rows), None)
            if batch is None:
                return []
            batch.validate(full=True)  # pyarrow crashes on damaged offsets
            sample: list[dict[str, Any]] = batch.slice(0, _SAMPLE_ROWS).select(names).to_pylist()
            return sample

    def check(self, path: str) -> None:
        """Check the columns; a damaged file is set aside when it is read."""
        with contextlib.suppress(DataError, StopIteration):
            next(_batches(path, self))

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows. The unreadable rest of a file becomes one row."""
        if start > 0:
            return
        offers = Offers()
        naming, vectors = self.naming(name, counts), self.vectors(counts)
        try:
            for batch in _batches(path, self):
                columns = [
                    float32_rows(column) if field == self.vector_field else values(column)
                    for field, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                for row in zip(*columns, strict=True):
                    record = dict(zip(batch.schema.names, row, strict=True))
                    yield from offers.add(
                        **offer_of(record, text_field=self.text_field, naming=naming, vectors=vectors)
                    )
        except DataError as error:
            digest = sha256_of(path)
            message = f"{name}: {error.message}"
            yield from offers.add(source_id=digest, record_sha256=digest, rule=error.rule, message=message)
        yield from offers.rest()


def _batches(path: str, loader: Arrow) -> Iterator[pa.RecordBatch]:
    """Yield the batches of the file at *path*, in pieces of at most 1,024 rows; first an empty one.

    Raises:
        DataError: The file is not Arrow, or damaged.
        SourceError: It does not have the columns that *loader* names.
    """
    with _stream(path) as rows:
        yield from _checked(rows.schema, rows, loader, path)


@contextlib.contextmanager
def _stream(path: str) -> Iterator[pa.RecordBatchReader]:
    """Yield the batches of the file at *path*; what follows the first bytes of an IPC file is a stream.

    Raises:
        DataError: The file is not Arrow, or damaged.
    """
    try:
        with open_decompressed(path) as stream:
            head = stream.peek(8)[:8]  # type: ignore[attr-defined]
            _require_arrow(head)
            if head.startswith(_FILE_MAGIC):
                stream.read(8)
            with pa.ipc.open_stream(stream) as rows:
                yield rows
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(f"not a readable Arrow file: {reason}", kind="damaged") from error


def _require_arrow(head: bytes) -> None:
    """Check the first bytes of a file.

    Raises:
        DataError: The file is empty, or cannot be Arrow.
    """
    if not head:
        raise DataError("the file is empty", kind="empty")
    if head.startswith(_FEATHER_1):
        raise DataError("Feather version 1 is not supported: write the file again in version 2", kind="unreadable")
    is_old_stream = head[2:4] == b"\0\0"  # before Arrow 0.15, a length comes first
    if not (head.startswith((_FILE_MAGIC, _STREAM_MARK)) or is_old_stream):
        raise DataError("not an Arrow file", kind="wrong_format")


def _checked(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], loader: Arrow, path: str
) -> Iterator[pa.RecordBatch]:
    require_columns(schema, loader, path)
    yield pa.RecordBatch.from_pylist([], schema=schema)
    for batch in batches:
        batch.validate(full=True)
        for start in range(0, batch.num_rows, _MAX_ROWS):
            yield batch.slice(start, _MAX_ROWS)
