"""The files of a version, or of any Parquet with a text column, and their columns by window."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import posixpath
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from corpusmill.schemas.errors import DamagedFileError, SourceError, UsageError
from corpusmill.schemas.storage import Store, StoredFile, is_url, open_store
from corpusmill.training.data.reading import column_names, kept_row_group, missing, reading, row_group

_MANIFEST: Final = "manifest.json"
_REPORT: Final = "report.html"
_PLACES: Final = "use the folder or URL of a version, or of Parquet files"
_FOOTERS_AT_ONCE: Final = 16
"""Number of concurrent requests for footers on a store."""


@runtime_checkable
class _Version(Protocol):
    @property
    def store(self) -> Store: ...


Place: TypeAlias = str | os.PathLike[str] | Store | _Version
"""The location of a corpus: a path, a URL, a store, or a version (its `store`)."""


@dataclass(frozen=True)
class Window:
    """The unit of shuffling: *rows* rows of a row group, or of a part of it.

    Attributes:
        first: The first row, counted in the file.
        offset: The first row, counted in the row group.
        is_whole: Whether these are all rows of the row group.
    """

    file: StoredFile
    row_group: int
    first: int
    offset: int
    rows: int
    is_whole: bool

    def taken(self, column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
        """Return the rows of the window from a column of its row group."""
        return column.slice(self.offset, self.rows)


@dataclass(frozen=True)
class Shard:
    """One Parquet file.

    Attributes:
        row_groups: Rows of each row group.
        sha256: As a manifest lists it, if there is one.
        text_bytes: UTF-8 bytes of the texts as a manifest lists them, else the uncompressed size of their column.
    """

    file: StoredFile
    row_groups: tuple[int, ...]
    sha256: str | None = None
    text_bytes: int = 0

    @property
    def path(self) -> str:
        """Path or URL of the file."""
        return self.file.address

    @property
    def rows(self) -> int:
        """Documents, including those without text."""
        return sum(self.row_groups)

    def windows(self, *, parts: int) -> Iterator[Window]:
        """Yield the row groups, each divided into *parts* equal parts."""
        first = 0
        for group, rows in enumerate(self.row_groups):
            bounds = [rows * part // parts for part in range(parts + 1)]
            for start, stop in itertools.pairwise(bounds):
                yield Window(self.file, group, first + start, start, stop - start, parts == 1)
            first += rows


@dataclass(frozen=True)
class Corpus:
    """The files of one split, in name order. It can be sent to another process, which reopens the store.

    Attributes:
        path: Path or URL of the version, or of the folder or file of Parquet.
        version: The version's id, or ``files-…`` (a hash of names, sizes and rows) for Parquet without a manifest.
        report: Path or URL of the version's report.
    """

    path: str
    dataset: str | None
    version: str
    split: str
    text_column: str
    shards: tuple[Shard, ...] = field(repr=False)
    report: str | None = None

    @property
    def rows(self) -> int:
        """Documents, including those without text."""
        return sum(shard.rows for shard in self.shards)

    @property
    def text_bytes(self) -> int:
        """UTF-8 bytes of the texts, as far as the manifest or the footers tell."""
        return sum(shard.text_bytes for shard in self.shards)

    @property
    def is_local(self) -> bool:
        """Whether the files are on this machine."""
        return not is_url(self.path)

    def windows(self, *, at_least: int) -> tuple[Window, ...]:
        """Return the units of shuffling: row groups, divided into equal parts if there are fewer than *at_least*."""
        groups = sum(len(shard.row_groups) for shard in self.shards)
        parts = -(-at_least // groups) if groups else 1
        return tuple(window for shard in self.shards for window in shard.windows(parts=parts))

    def column(self, window: Window, name: str) -> pa.ChunkedArray:
        """Return the column *name* of *window*."""
        read = row_group if window.is_whole else kept_row_group
        return window.taken(read(window.file, window.row_group, name))

    def columns(self, file: StoredFile) -> list[str]:
        """Return the names of the columns of *file*."""
        return column_names(file)

    def batches(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """Yield *columns* of all rows in file order. Columns that a file does not have are omitted."""
        for shard in self.shards:
            with reading(shard.file) as file:
                present = [name for name in columns if name in file.schema_arrow.names]
                yield from file.iter_batches(batch_size=1024, columns=present, use_threads=False)

    def verify(self) -> None:
        """Compare each file with its SHA-256 in the manifest. Reads all bytes, also on a store.

        Raises:
            DamagedFileError: A file differs or is missing.
        """
        for shard in self.shards:
            if shard.sha256 is not None and _sha256(shard.file) != shard.sha256:
                raise _differs(shard.path)


def open_corpus(place: Place, *, split: str = "train", text_column: str = "text") -> Corpus:
    """Open the split *split* of the version, or of the folder or file of Parquet, at *place*.

    Without a manifest, the split consists of the files `<split>-*.parquet`; if no file is named so, all files are
    `train`. Only footers are read. A split without files is a corpus without shards.

    Raises:
        UsageError: *place* does not exist or contains no Parquet.
        SourceError: A file has no column *text_column*, or the manifest cannot be read.
        DamagedFileError: A file is missing, differs in size from the manifest, or is not Parquet.
        UnfinishedError: The store refuses access or does not respond.
    """
    store, name = _opened(place)
    manifest = None if name else _read_manifest(store)
    if manifest is None:
        shards = _shards([(file, None) for file in _loose_files(store, name, split=split)], text_column)
        return Corpus(store.address(name), None, _name_of(shards), split, text_column, shards)
    files = sorted((entry for entry in manifest.files if entry.split == split), key=lambda entry: entry.path)
    shards = _shards([(_listed(store, entry), entry) for entry in files], text_column)
    # Looked up now, because a checkpoint names the report and must be writable while the store is unreachable.
    report = store.address(_REPORT) if store.exists(_REPORT) else None
    return Corpus(store.address(), manifest.dataset, manifest.version, split, text_column, shards, report)


def _opened(place: Place) -> tuple[Store, str]:
    """Return the store at *place*, and the key if *place* is a single file, else an empty key."""
    if isinstance(place, _Version):
        return place.store, ""
    if isinstance(place, str) and is_url(place):
        folder, _, name = place.rpartition("/")
        if name.endswith(".parquet") and not folder.endswith("/"):
            return open_store(folder), name
    store = open_store(place)
    path = store.path()
    return (open_store(path.parent), path.name) if path is not None and path.is_file() else (store, "")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    path: str
    split: str
    rows: int
    bytes: int
    text_bytes: int
    sha256: str


class _Manifest(BaseModel):
    """The fields of a manifest that training needs; later formats may have more."""

    model_config = ConfigDict(extra="ignore")

    dataset: str
    version: str
    files: tuple[_Entry, ...]


def _read_manifest(store: Store) -> _Manifest | None:
    """Read the manifest; None if there is none."""
    try:
        return _Manifest.model_validate_json(store.read(_MANIFEST))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        reason = f"not a manifest of a version: {error.errors()[0]['msg']}"
        raise SourceError(reason, file=store.address(_MANIFEST)) from None


def _listed(store: Store, entry: _Entry) -> StoredFile:
    """Return the file of a manifest entry, after checking its size.

    The size is checked on this machine only; on a store, a truncated object has no footer.
    """
    file = StoredFile(store, entry.path, entry.bytes)
    try:
        _ = file.address
    except ValueError:
        raise _outside(store, entry.path) from None
    path = store.path(entry.path)
    if path is None:
        return file
    if not path.resolve().is_relative_to(Path(store.address()).resolve()):
        raise _outside(store, entry.path)
    if not path.is_file():
        raise missing(file)
    if path.stat().st_size != entry.bytes:
        raise _differs(file.address)
    return file


def _outside(store: Store, name: str) -> SourceError:
    return SourceError(f"the manifest names a file outside of its folder: {name}", file=store.address(_MANIFEST))


def _loose_files(store: Store, name: str, *, split: str) -> list[StoredFile]:
    path = store.path()
    if path is not None and not path.exists():
        raise UsageError(f"{path} does not exist", hint=_PLACES)
    if name:
        files = [StoredFile(store, name, _size(store, name))]
    else:
        entries = [entry for entry in store.files() if entry.key.endswith(".parquet")]
        files = [StoredFile(store, key, size) for key, size in sorted(entries, key=lambda entry: entry.key.split("/"))]
    if not files:
        raise UsageError(f"{store.address()} contains no Parquet files", hint=_PLACES)
    named = [file for file in files if posixpath.basename(file.key).split("-")[0] in {"train", "validation", "test"}]
    if named:
        return [file for file in named if posixpath.basename(file.key).startswith(f"{split}-")]
    return files if split == "train" else []


def _size(store: Store, name: str) -> int:
    try:
        return store.size(name)
    except FileNotFoundError:
        raise UsageError(f"{store.address(name)} does not exist", hint=_PLACES) from None


def _shards(files: list[tuple[StoredFile, _Entry | None]], text_column: str) -> tuple[Shard, ...]:
    """Read the footers of *files*, several at once on a store."""
    if all(file.store.path() is not None for file, _ in files):
        return tuple(_shard(file, text_column, entry) for file, entry in files)
    with ThreadPoolExecutor(_FOOTERS_AT_ONCE) as pool:
        return tuple(pool.map(lambda listed: _shard(listed[0], text_column, listed[1]), files))


def _shard(file: StoredFile, text_column: str, entry: _Entry | None) -> Shard:
    with reading(file) as opened:
        metadata, schema = opened.metadata, opened.schema_arrow
    groups = tuple(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))
    if text_column not in schema.names:
        hint = f"available columns: {', '.join(schema.names)}"
        raise SourceError(f"no column `{text_column}`", file=file.address, hint=hint)
    kind = schema.field(text_column).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise SourceError(f"the column `{text_column}` is {kind}, not text", file=file.address)
    if entry is None:
        return Shard(file, groups, text_bytes=_column_bytes(metadata, text_column))
    return Shard(file, groups, entry.sha256, entry.text_bytes)


def _column_bytes(metadata: pq.FileMetaData, name: str) -> int:
    """Return the uncompressed bytes of a column, which for texts are close to their bytes of UTF-8."""
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    chunks = (group.column(number) for group in groups for number in range(group.num_columns))
    return sum(int(chunk.total_uncompressed_size) for chunk in chunks if chunk.path_in_schema == name)


def _sha256(file: StoredFile) -> str:
    try:
        return file.store.sha256(file.key)
    except FileNotFoundError:
        raise missing(file) from None


def _differs(path: str) -> DamagedFileError:
    return DamagedFileError(
        "the file differs from the manifest", file=path, hint="copy the version again, or rebuild it"
    )


def _name_of(shards: tuple[Shard, ...]) -> str:
    said = json.dumps([[posixpath.basename(shard.file.key), shard.file.size, shard.rows] for shard in shards])
    return f"files-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
