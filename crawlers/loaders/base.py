"""A loader: the parameters that reading a format needs, and a function from a slice of a file to offered records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from corpusmill.schemas.document import MAX_BATCH_BYTES, MAX_BATCH_ROWS, OFFER
from corpusmill.schemas.metadata import metadata_column

SLICE_BYTES: Final = 64 * 2**20
"""A task reads one slice of this size (in the file, so compressed where it is)."""
_METADATA: Final = OFFER.get_field_index("metadata")
_PLAIN: Final = OFFER.remove(_METADATA)


class Loader(BaseModel, ABC):
    """Parameters of one format; the fields are the keys of `load` that change what is read.

    `suffixes` are the file names a folder is searched for. `uses_name` says that the file's name decides `source_id`,
    so that it belongs to the task's fingerprint. `depends` names distributions whose version decides what is read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()
    suffixes: ClassVar[tuple[str, ...]] = ()
    uses_name: ClassVar[bool] = False

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Give the slices ``[start, end)`` of the file at *path*, in bytes, by the file alone; one by default."""
        return [(0, -1)]

    def check(self, path: str) -> None:
        """Refuse the file at *path* when its user has to act before anything is read (it looks at little of it).

        Raises:
            SourceError: Such as a Parquet file without the text column.
        """

    def count(self, path: str) -> dict[str, int]:
        """Give the records in the file at *path* that are no documents, by kind; reads the file where there are any."""
        return {}

    @abstractmethod
    def read(self, path: str, *, name: str, start: int = 0, end: int = -1) -> Iterator[pa.RecordBatch]:
        """Give the records that begin in ``[start, end)`` of the file at *path* (`end` -1: to its end).

        Batches have the schema `OFFER` and are bounded in rows and bytes. A record that cannot be read is a row with
        the rule ``error.<kind>`` and a message; a file that cannot be read at all is one such row, or a `SourceError`
        when the user has to act (a Parquet file without the text column).

        Args:
            name: The file's POSIX path from the pattern's fixed prefix.
        """


def cuts(path: str) -> list[tuple[int, int]]:
    """Give the slices of `SLICE_BYTES` that cover the file at *path*; an empty file has one, too."""
    size = Path(path).stat().st_size
    return [(start, min(start + SLICE_BYTES, size)) for start in range(0, max(size, 1), SLICE_BYTES)]


class Offers:
    """Collects offered records and hands them over as bounded batches.

    >>> offers = Offers()
    >>> list(offers.add(source_id="a", text="one")), [batch.num_rows for batch in offers.rest()]
    ([], [1])
    """

    def __init__(self, *, max_rows: int = 1024, max_bytes: int = MAX_BATCH_BYTES // 4) -> None:
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._max_rows = min(max_rows, MAX_BATCH_ROWS)
        self._max_bytes = max_bytes

    def add(self, **record: Any) -> Iterator[pa.RecordBatch]:
        """Take one *record* and yield the batches that became full.

        Args:
            record: Columns of `OFFER`; missing ones are null. `metadata` is a mapping of strings, in any order.
        """
        size = len(record.get("content") or b"") + len(record.get("text") or "")
        if self._rows and self._bytes + size > self._max_bytes:
            yield from self.rest()
        self._rows.append(record)
        self._bytes += size
        if len(self._rows) >= self._max_rows:
            yield from self.rest()

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Give what is left."""
        if self._rows:
            metadata = metadata_column([row.get("metadata") for row in self._rows])
            batch = pa.RecordBatch.from_pylist(self._rows, schema=_PLAIN)
            self._rows, self._bytes = [], 0
            yield batch.add_column(_METADATA, OFFER.field(_METADATA), metadata)
