"""The base of loaders: the parameters of a format, and a function that reads records from a slice of a file."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, ClassVar, Final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.streams import decompressed_bytes, file_size, is_blank, sha256_of
from corpusmill.schemas.document import MAX_BATCH_BYTES, MAX_BATCH_ROWS, OFFER
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.identity import capture_hash
from corpusmill.schemas.metadata import metadata_column
from corpusmill.schemas.optouts import respected_kinds
from corpusmill.schemas.respect import RESPECT_DESCRIPTION, Respect
from corpusmill.schemas.selectors import DROP_DESCRIPTION, SELECT_DESCRIPTION, Selector, selectors_as_json
from corpusmill.schemas.vectors import VECTOR

MAX_SLICE_BYTES: Final = 64 * 2**20
"""Largest slice of a file, in bytes of the file; a task reads one slice."""
MIN_SLICE_BYTES: Final = 4 * 2**20
MIN_PACKED_SLICE_BYTES: Final = 2**20
"""As `MIN_SLICE_BYTES`, for compressed slices, which expand to several times their size."""
_SLICES: Final = 16
"""Number of slices of a file between the bounds: enough for eight workers to finish at about the same time."""


class Loader(BaseModel, ABC):
    """Parameters of one format; the fields are the keys of `load` that change which records are read.

    If `path` is a folder, files with one of the `suffixes` are read. With `uses_name`, a file is one document and its
    name is the id. `depends` lists the distributions whose version can change the records.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()
    suffixes: ClassVar[tuple[str, ...]] = ()
    uses_name: ClassVar[bool] = False
    extra: ClassVar[str | None] = None
    """The extra of corpusmill that the loader needs; None if it needs none."""
    about: ClassVar[About | None] = None
    """What `corpusmill sources` says about the data of this format."""
    site_policy: ClassVar[str | None] = None
    """``module:Class`` that judges pages by the files of their site, which `site_files` reads; None if there are none.
    """

    has_deletions: ClassVar[bool] = False
    """Whether files can name records of other files that are deleted, which `deletions` reads."""

    @classmethod
    def recognizes(cls, head: bytes) -> bool:  # noqa: ARG003, for subclasses
        """Return whether *head*, the first (decompressed) bytes of a file, is clearly the beginning of this format.

        `init --from` asks if several formats have the suffix of the file, or none has.
        """
        return False

    @classmethod
    def sample(cls, path: str) -> list[dict[str, Any]] | None:  # noqa: ARG003, for subclasses
        """Return some of the first rows of the file at *path*; None for formats whose records have no fields.

        `init --from` detects the fields with the text and the id in them.

        Raises:
            DataError, SourceError: The file cannot be read.
        """
        return None

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return the slices ``[start, end)`` of the file at *path*, in bytes; one by default.

        The slices depend on the file alone, not on the number of workers.

        Raises:
            SourceError: The file is missing or unreadable.
        """
        return [(0, -1)]

    def content_bytes(self, path: str) -> int:
        """Estimate the decompressed size of the file at *path* in bytes, from its beginning.

        Raises:
            SourceError: The file is missing or unreadable.
        """
        return decompressed_bytes(path)

    def check(self, path: str) -> None:
        """Check the file at *path* for problems that the user must fix; only a small part of the file is read.

        Raises:
            SourceError: For example, a Parquet file does not have the text column.
        """

    def companions(self, path: str) -> tuple[str, ...]:
        """Return the local files that describe the file at *path* and are read with it, such as its catalog entry.

        Their content is part of the fingerprint of the tasks of *path*.
        """
        return ()

    def records(self, path: str) -> int | None:
        """Return how many records the file at *path* has, where that is known without reading it; None: it is not.

        Raises:
            SourceError: The file is missing or may not be read.
        """
        return None

    @property
    def respected(self) -> frozenset[str]:
        """The kinds of opt-outs that prevent publication of a record."""
        return frozenset()

    @property
    def selectors(self) -> str | None:
        """The selectors of the parts of pages to extract, for the column `selectors`; None if there are none."""
        return None

    @property
    def has_vectors(self) -> bool:
        """Whether records may have an embedding, in the column `vector`."""
        return False

    def site_files(self, path: str, *, start: int = 0, end: int = -1) -> Iterator[pa.RecordBatch]:
        """Yield the files that speak for a whole site (schema `SITE_FILE`) among the records in ``[start, end)``."""
        yield from ()

    def deletions(self, path: str, *, start: int = 0, end: int = -1) -> Iterator[list[str]]:
        """Yield lists of the `source_id`s that the file names as deleted in ``[start, end)``.

        A file that cannot be read gives none: `read` reports it.
        """
        yield from ()

    @property
    def reads_name(self) -> bool:
        """Whether the records depend on the file's name, so that the name is part of the task's fingerprint."""
        return self.uses_name

    def offers(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield what `read` yields. A file in which it finds nothing, not even a record to count, is one row.

        Without that row, an empty file, or one with only a header, would leave no trace in a run.
        """
        counted: Counter[str] = Counter() if counts is None else counts
        before, has_rows = counted.total(), False
        for batch in self.read(path, name=name, start=start, end=end, counts=counted):
            has_rows = True
            yield batch
        is_whole_file = start == 0 and (end < 0 or end >= file_size(path))
        if is_whole_file and not has_rows and counted.total() == before:
            yield from _nothing(path, name)

    @abstractmethod
    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records that begin in ``[start, end)`` of the file at *path* (`end` -1: to its end).

        Batches have the schema `OFFER` and are bounded in rows and bytes. A record that cannot be read is a row with
        the rule ``error.<kind>`` and a message. A file that cannot be read at all is one such row, or a `SourceError`
        if the user must act (a Parquet file without the text column).

        Args:
            name: The file's POSIX path from the pattern's fixed prefix.
            counts: Counter for the records of the slice that are not documents (requests, redirects, …), by kind, and
                for the ids and vectors of records, under `ID_COUNTS` and `VECTOR_COUNTS`. It is complete after the last
                batch.
        """


class Respecting(Loader):
    """A loader of pages, which may carry opt-outs."""

    respect: Respect = Field(default="all", description=RESPECT_DESCRIPTION, examples=[["noai", "tdm"]])
    select: tuple[Selector, ...] = Field(default=(), description=SELECT_DESCRIPTION, examples=[["article"]])
    drop: tuple[Selector, ...] = Field(default=(), description=DROP_DESCRIPTION, examples=[[".related"]])

    @property
    def respected(self) -> frozenset[str]:
        """The kinds of opt-outs that prevent publication of a page."""
        return respected_kinds(self.respect)

    @property
    def selectors(self) -> str | None:
        """The selectors of the parts to extract, as in the column `selectors`."""
        return selectors_as_json(self.select, self.drop)


def _nothing(path: str, name: str) -> tuple[pa.RecordBatch, ...]:
    """Return the row of a file without records."""
    kind, problem, digest = "no_records", "the file has no records", capture_hash(name.encode())
    with contextlib.suppress(SourceError):  # a format can read a folder
        kind, problem = ("empty", "the file is empty") if is_blank(path) else (kind, problem)
        digest = sha256_of(path)
    offers = Offers()
    list(offers.add(source_id=digest, record_sha256=digest, rule=f"error.{kind}", message=f"{name}: {problem}"))
    return offers.rest()


def slice_bytes(size: int, *, at_least: int = MIN_SLICE_BYTES) -> int:
    """Return the slice size for a file of *size* bytes: 1/16 of the file, within the bounds.

    >>> [slice_bytes(size * 2**20) // 2**20 for size in (1, 50, 160, 5000)]
    [4, 4, 10, 64]
    """
    return min(max(-(-size // _SLICES), at_least), MAX_SLICE_BYTES)


def cuts(path: str, *, at_least: int = MIN_SLICE_BYTES) -> list[tuple[int, int]]:
    """Return equal slices that cover the file at *path*; an empty file has one.

    Raises:
        SourceError: The file is missing or unreadable.
    """
    size = file_size(path)
    step = slice_bytes(size, at_least=at_least)
    return [(start, min(start + step, size)) for start in range(0, max(size, 1), step)]


class Offers:
    """Collects records and returns them in bounded batches.

    >>> offers = Offers()
    >>> list(offers.add(source_id="a", text="one")), [batch.num_rows for batch in offers.rest()]
    ([], [1])
    """

    def __init__(self, *, max_rows: int = 1024, max_bytes: int = MAX_BATCH_BYTES // 4) -> None:
        self._max_rows = min(max_rows, MAX_BATCH_ROWS)
        self._max_bytes = max_bytes
        self._start()

    def _start(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._content = _Bodies(pa.binary())
        self._text = _Bodies(pa.string())

    def add(
        self, *, content: bytes | None = None, text: str | None = None, **record: Any
    ) -> tuple[pa.RecordBatch, ...]:
        """Add one *record* and return the batches that are full.

        Args:
            content: The column `content`.
            text: The column `text`.
            record: Other columns of `OFFER`; missing ones are null. `metadata` is a mapping of strings, in any order;
                `vector` is an array of float32.
        """
        size = len(content or b"") + len(text or "") + getattr(record.get(VECTOR), "nbytes", 0)
        full = self.rest() if self._bytes + size > self._max_bytes else ()
        self._rows.append(record)
        self._bytes += size
        self._content.add(content)
        self._text.add(None if text is None else text.encode())
        return (*full, *self.rest()) if len(self._rows) >= self._max_rows else full

    def rest(self) -> tuple[pa.RecordBatch, ...]:
        """Return the remaining records as one batch, or no batch if there are none."""
        if not self._rows:
            return ()
        used = set().union(*self._rows)
        columns = {"content": self._content.array(), "text": self._text.array()} | {
            name: _column(name, [row.get(name) for row in self._rows]) for name in used
        }
        batch = pa.RecordBatch.from_arrays(
            [columns.get(field.name, pa.nulls(len(self._rows), field.type)) for field in OFFER], schema=OFFER
        )
        self._start()
        return (batch,)


def _column(name: str, values: list[Any]) -> pa.Array:
    return metadata_column(values) if name == "metadata" else pa.array(values, OFFER.field(name).type)


class _Bodies:
    """A column of bytes or text, joined in one step, because a growing buffer would copy the values many times."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._values: list[bytes | None] = []

    def add(self, value: bytes | None) -> None:
        self._values.append(value)

    def array(self) -> pa.Array:
        present = [value for value in self._values if value is not None]
        if not present:
            return pa.nulls(len(self._values), self._kind)
        ends = pa.array(accumulate((len(value or b"") for value in self._values), initial=0), pa.int32()).buffers()[1]
        has_no_nulls = len(present) == len(self._values)
        validity = None if has_no_nulls else pa.array([value is not None for value in self._values]).buffers()[1]
        data = pa.py_buffer(b"".join(present))
        return pa.Array.from_buffers(self._kind, len(self._values), [validity, ends, data])
