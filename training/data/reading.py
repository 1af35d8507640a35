"""Read Parquet files of a corpus from a disk, or from a store, where only the needed ranges are requested."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.storage import StoredFile

_OPEN_ROW_GROUPS: Final = 4
"""Number of decoded row groups to keep while their windows are read one after the other."""
_KEPT_FOOTERS: Final = 64
"""Number of footers of files on a store to keep; without its footer, a row group costs one or two more requests."""


@contextlib.contextmanager
def reading(file: StoredFile) -> Iterator[pq.ParquetFile]:
    """Open *file*. On a store, reading a column of a row group is one request.

    Nothing stays open between two row groups, so readers can be sent to another process.

    Raises:
        DamagedFileError: The file is missing, not Parquet, or unreadable, here or in the block.
        UnfinishedError: The store refuses access or does not respond.
    """
    opened = _opened(file)
    try:
        yield opened
    except FileNotFoundError:
        raise missing(file) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DamagedFileError(f"the file cannot be read: {error}", file=file.address) from error
    finally:
        opened.close(force=True)


def row_group(file: StoredFile, group: int, column: str) -> pa.ChunkedArray:
    """Return *column* of a row group."""
    with reading(file) as opened:
        return opened.read_row_group(group, columns=[column], use_threads=False).column(0)


kept_row_group = functools.lru_cache(maxsize=_OPEN_ROW_GROUPS)(row_group)
"""As `row_group`, for row groups that are read repeatedly in sequence."""


@functools.lru_cache(maxsize=_KEPT_FOOTERS)
def column_names(file: StoredFile) -> list[str]:
    """Return the names of the columns of *file*."""
    with reading(file) as opened:
        names: list[str] = opened.schema_arrow.names
        return names


def missing(file: StoredFile) -> DamagedFileError:
    """Return the error for a missing *file*."""
    hint = "run the recipe again, or copy the folder whole"
    return DamagedFileError("the file is missing", file=file.address, hint=hint)


def _opened(file: StoredFile) -> pq.ParquetFile:
    path = file.store.path(file.key)
    try:
        if path is not None:
            return pq.ParquetFile(path)
        return pq.ParquetFile(file.open(), metadata=_footer(file))
    except FileNotFoundError:
        raise missing(file) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DamagedFileError(f"not a Parquet file: {error}", file=file.address) from None


@functools.lru_cache(maxsize=_KEPT_FOOTERS)
def _footer(file: StoredFile) -> pq.FileMetaData:
    with file.open() as opened:
        return pq.read_metadata(opened)
