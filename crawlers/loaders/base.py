"""A loader: the parameters that reading a format needs, and a function from a slice of a file to offered records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, ClassVar, Final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from corpusmill.crawlers.loaders.streams import decompressed_bytes, file_size
from corpusmill.schemas.document import MAX_BATCH_BYTES, MAX_BATCH_ROWS, OFFER
from corpusmill.schemas.metadata import metadata_column

MAX_SLICE_BYTES: Final = 64 * 2**20
"""A task reads one slice of at most this size, in the file."""
MIN_SLICE_BYTES: Final = 4 * 2**20
MIN_PACKED_SLICE_BYTES: Final = 2**20
"""As `MIN_SLICE_BYTES`, where the slice is compressed: a few times as many bytes come out of it."""
_SLICES: Final = 16
"""A file between the bounds has so many slices: enough for eight workers to finish at about the same time."""


class Loader(BaseModel, ABC):
    """Parameters of one format; the fields are the keys of `load` that change what is read.

    `suffixes` are the file names a folder is searched for. `uses_name` says that a file is one document, named by the
    file's name. `depends` names distributions whose version decides what is read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()
    suffixes: ClassVar[tuple[str, ...]] = ()
    uses_name: ClassVar[bool] = False

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return the slices ``[start, end)`` of the file at *path*, in bytes, by the file alone; one by default.

        Raises:
            SourceError: The file is missing or may not be read.
        """
        return [(0, -1)]

    def content_bytes(self, path: str) -> int:
        """Return about how many bytes the file at *path* has when compression is undone, from a look at its beginning.

        Raises:
            SourceError: The file is missing or may not be read.
        """
        return decompressed_bytes(path)

    def check(self, path: str) -> None:
        """Refuse the file at *path* when its user has to act before anything is read (it looks at little of it).

        Raises:
            SourceError: Such as a Parquet file without the text column.
        """

    def records(self, path: str) -> int | None:
        """Return how many records the file at *path* has, where that is known without reading it; None: it is not.

        Raises:
            SourceError: The file is missing or may not be read.
        """
        return None

    @property
    def reads_name(self) -> bool:
        """Whether the file's name decides what is read, so that it belongs to the task's fingerprint."""
        return self.uses_name

    @abstractmethod
    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records that begin in ``[start, end)`` of the file at *path* (`end` -1: to its end).

        Batches have the schema `OFFER` and are bounded in rows and bytes. A record that cannot be read is a row with
        the rule ``error.<kind>`` and a message; a file that cannot be read at all is one such row, or a `SourceError`
        when the user has to act (a Parquet file without the text column).

        Args:
            name: The file's POSIX path from the pattern's fixed prefix.
            counts: Receives the records of the slice that are not documents (requests, redirects, …), by kind, and
                under `ID_COUNTS` how records are named. It is complete once the last batch was yielded.
        """


def slice_bytes(size: int, *, at_least: int = MIN_SLICE_BYTES) -> int:
    """Return the size of the slices of a file of *size* bytes: a sixteenth of it, within the bounds.

    >>> [slice_bytes(size * 2**20) // 2**20 for size in (1, 50, 160, 5000)]
    [4, 4, 10, 64]
    """
    return min(max(-(-size // _SLICES), at_least), MAX_SLICE_BYTES)


def cuts(path: str, *, at_least: int = MIN_SLICE_BYTES) -> list[tuple[int, int]]:
    """Return equal slices that cover the file at *path*, one for an empty file.

    Raises:
        SourceError: The file is missing or may not be read.
    """
    size = file_size(path)
    step = slice_bytes(size, at_least=at_least)
    return [(start, min(start + step, size)) for start in range(0, max(size, 1), step)]


class Offers:
    """Collects offered records and hands them over as bounded batches.

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
        """Take one *record* and return the batches that became full.

        Args:
            record: Columns of `OFFER`; missing ones are null. `metadata` is a mapping of strings, in any order.
        """
        size = len(content or b"") + len(text or "")
        full = self.rest() if self._bytes + size > self._max_bytes else ()
        self._rows.append(record)
        self._bytes += size
        self._content.add(content)
        self._text.add(None if text is None else text.encode())
        return (*full, *self.rest()) if len(self._rows) >= self._max_rows else full

    def rest(self) -> tuple[pa.RecordBatch, ...]:
        """Return what is left, as one batch, or none."""
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
    """A column of bytes or text. Its values are joined in one step: a buffer that grows would copy them many times."""

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
        is_whole = len(present) == len(self._values)
        validity = None if is_whole else pa.array([value is not None for value in self._values]).buffers()[1]
        data = pa.py_buffer(b"".join(present))
        return pa.Array.from_buffers(self._kind, len(self._values), [validity, ends, data])
