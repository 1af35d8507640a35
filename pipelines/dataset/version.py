"""Open a published version by its name, and read its files."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.workspace import Workspace, workspace_at
from corpusmill.schemas.document import SPLITS
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.identity import ID_LENGTH, shard_of
from corpusmill.schemas.manifest import VERSION_ID_LENGTH, VersionManifest
from corpusmill.schemas.storage import Store, StoredFile, is_url, open_store

MIN_PREFIX: Final = 4
"""Fewest characters that may abbreviate a version id."""
_SHARD: Final = "shard"
_WITH_SHARDS: Final = frozenset(("ledger", "signals", "origin"))
"""Tables with a file for each shard. The files of other side tables hold ranges of ids of their own."""
_MANY: Final = 10_000
"""Number of ids above which row groups are read without checking whether they hold any."""


@dataclass(frozen=True)
class Version:
    """A version in the folder or at the URL *place*; usable without a catalog."""

    place: str | os.PathLike[str]
    manifest: VersionManifest = field(repr=False)

    def __fspath__(self) -> str:
        return str(self.path)

    @cached_property
    def store(self) -> Store:
        """The store of the version's files."""
        return open_store(self.place)

    @property
    def address(self) -> str:
        """Path or URL of the version."""
        return self.store.address()

    @property
    def path(self) -> Path:
        """The folder of the version.

        Raises:
            UsageError: The version is not on this machine.
        """
        path = self.store.path()
        if path is None:
            hint = "copy it to a folder first, for example with `aws s3 sync`"
            raise UsageError(f"{self.address} is not on this machine", hint=hint)
        return path

    @property
    def name(self) -> str:
        """Data set and id: ``handbook@0123456789abcdef``."""
        return f"{self.manifest.dataset}@{self.manifest.version}"

    @property
    def columns(self) -> list[str]:
        """Names of the columns of a document."""
        return [column["name"] for column in self.manifest.document_schema]

    @property
    def signals(self) -> list[str]:
        """Names of the signals; empty if nothing was measured."""
        for file in self.stored("signals"):
            with _reading(file), file.open() as opened:
                return [name for name in pq.read_schema(opened).names if name != "id"]
        return []

    @property
    def size(self) -> int:
        """Size of all Parquet files in bytes."""
        shards, sides = self.manifest.files, self.manifest.side_files
        return sum(shard.bytes for shard in shards) + sum(side.bytes for side in sides)

    def files(self, kind: str, *, split: str | None = None) -> list[Path]:
        """Return the files of one *kind* (shard, ledger, signals, origin) in name order.

        Raises:
            UsageError: The version is not on this machine.
            DamagedFileError: A file is missing, or the manifest names a file outside of the folder.
        """
        return [self.path / file.key for file in self.stored(kind, split=split)]

    def stored(self, kind: str, *, split: str | None = None) -> list[StoredFile]:
        """Return the files of one *kind* (shard, ledger, signals, origin) in name order, on any store.

        Raises:
            DamagedFileError: A file is missing on this machine, or the manifest names a file outside of the folder.
        """
        if kind == _SHARD:
            sizes = {file.path: file.bytes for file in self.manifest.files if split in (None, file.split)}
        else:
            sizes = {file.path: file.bytes for file in self.manifest.side_files if file.kind == kind}
        return [self._stored(name, sizes[name]) for name in sorted(sizes)]

    def _stored(self, name: str, size: int) -> StoredFile:
        if Path(name).name != name or name.startswith("."):
            raise DamagedFileError(
                f"the manifest names a file outside of its folder: {name}", file=self.store.address("manifest.json")
            )
        file = StoredFile(self.store, name, size)
        path = self.store.path(name)
        if path is not None and not path.is_file():  # no check on a store: it costs a request, and reading fails anyway
            raise DamagedFileError(
                "the file is missing", file=file.address, hint="copy the whole folder of the version again"
            )
        return file

    def rows(self, kind: str, low: str, high: str | None = None, *, columns: list[str] | None = None) -> pa.Table:
        """Return the rows of the files of *kind* with an id in ``[low, high]`` (by default *low* alone), in file order.

        Reads only the row groups that may hold such ids.
        """
        high = low if high is None else high
        tables: list[pa.Table] = []
        for file in self._files_between(kind, low, high):
            with _reading(file):
                tables += _between(file, low, high, columns)
        return pa.concat_tables(tables) if tables else pa.table({})

    def _files_between(self, kind: str, low: str, high: str) -> list[StoredFile]:
        if kind == _SHARD:
            near = {
                shard.path
                for shard in self.manifest.files
                if shard.first_id is not None and shard.last_id is not None
                if shard.first_id <= high and low <= shard.last_id
            }
            return [file for file in self.stored(_SHARD) if file.key in near]
        files, places = self.stored(kind), self._places()
        if kind not in _WITH_SHARDS:
            places = [(index, len(files)) for index in range(len(files))]
        if len(files) != len(places):
            return files
        return [
            file
            for file, (index, count) in zip(files, places, strict=True)
            if shard_of(low, count) <= index <= shard_of(high, count)
        ]

    def _places(self) -> list[tuple[int, int]]:
        """Return the index and count of the shard of each ledger file, in the order of the ledger files."""
        counts = [sum(shard.split == split for shard in self.manifest.files) for split in SPLITS]
        return [(index, count) for count in counts for index in range(count)]

    def documents(
        self, *, ids: pa.Array | None = None, columns: list[str] | None = None, split: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield documents in file order, row group by row group; only those in *ids* if it is not None."""
        holds_any = _holds_any(ids)
        ranges = {shard.path: (shard.first_id, shard.last_id) for shard in self.manifest.files}
        for file in self.stored(_SHARD, split=split):
            first, last = ranges[file.key]
            if first is not None and last is not None and holds_any(first, last):
                with _reading(file):
                    yield from _with_ids(file, ids, columns)

    def batches(self, kind: str, *, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield all rows of the files of *kind*, which have an id, in file order, row group by row group."""
        for file in self.stored(kind):
            with _reading(file):
                yield from _with_ids(file, None, columns)


@contextlib.contextmanager
def _reading(file: StoredFile) -> Iterator[None]:
    """Raise `DamagedFileError` with the file's address if it cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"the file cannot be read: {error}", file=file.address) from error


def _between(stored: StoredFile, low: str, high: str, columns: list[str] | None) -> list[pa.Table]:
    """Return the rows of a file whose id is in ``[low, high]``; reads the row groups that hold any."""
    tables = []
    with _parquet(stored) as file:
        for group in _row_groups(file, lambda first, last: first <= high and low <= last):
            ids = _column(file, group, "id")
            mask = pc.and_(pc.greater_equal(ids, pa.scalar(low)), pc.less_equal(ids, pa.scalar(high)))
            if pc.any(mask).as_py():
                tables.append(_whole(file, group, columns).filter(mask))
        return tables or [file.schema_arrow.empty_table().select(columns or file.schema_arrow.names)]


def _with_ids(stored: StoredFile, ids: pa.Array | None, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    with _parquet(stored) as file:
        for group in _row_groups(file, _holds_any(ids)):
            mask = None if ids is None else pc.is_in(_column(file, group, "id"), value_set=ids)
            if mask is not None and not pc.any(mask).as_py():
                continue
            table = _whole(file, group, columns)
            yield from (table if mask is None else table.filter(mask)).to_batches()


@contextlib.contextmanager
def _parquet(stored: StoredFile) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; on a store, read the columns of a row group with few requests."""
    with stored.open() as opened, pq.ParquetFile(opened, pre_buffer=stored.store.path() is None) as file:
        yield file


def _holds_any(ids: pa.Array | None) -> Callable[[str, str], bool]:
    """Return a function that says whether a range may hold one of *ids*; always True if *ids* are many."""
    if ids is None or len(ids) > _MANY:
        return lambda _first, _last: True
    ordered = sorted(ids.to_pylist())
    return lambda first, last: bisect_left(ordered, first) < bisect_right(ordered, last)


def _row_groups(file: pq.ParquetFile, is_wanted: Callable[[str, str], bool]) -> Iterator[int]:
    """Yield the row groups whose least and greatest id *is_wanted* accepts."""
    place = file.schema.names.index("id")
    for group in range(file.metadata.num_row_groups):
        statistics = file.metadata.row_group(group).column(place).statistics
        if statistics is None or not statistics.has_min_max or is_wanted(statistics.min, statistics.max):
            yield group


def _column(file: pq.ParquetFile, group: int, name: str) -> pa.ChunkedArray:
    return file.read_row_group(group, columns=[name], use_threads=False)[name]


def _whole(file: pq.ParquetFile, group: int, columns: list[str] | None) -> pa.Table:
    table = file.read_row_group(group, columns=columns, use_threads=False)
    return table.select(columns or table.schema.names)


def open_version(name_or_path: str | os.PathLike[str], workspace: str | Path | Workspace | None = None) -> Version:
    """Open the version called *name_or_path*; only its manifest is read.

    Args:
        name_or_path: ``dataset@id`` (the beginning of an id is enough where it is unique), ``dataset@tag``, ``dataset``
            (the current version), or the folder or URL of a version.
        workspace: The workspace of names; by default that of the environment, or ``./corpus``.

    Raises:
        UsageError: There is no such version.
        DamagedFileError: Its manifest cannot be read.
    """
    if isinstance(name_or_path, Version):
        return name_or_path
    if isinstance(name_or_path, str) and is_url(name_or_path):
        return version_in(open_store(name_or_path))
    place = workspace_of(workspace)
    if isinstance(name_or_path, os.PathLike) or _is_path(str(name_or_path)):
        return version_in(Path(name_or_path))
    dataset, at, name = str(name_or_path).partition("@")
    if not at and dataset not in datasets(place) and (Path(dataset) / "manifest.json").is_file():
        return version_in(Path(dataset))
    store = dataset_store(place, dataset)
    return version_in(store.below(find(store, name) if at else _current(store)))


def workspace_of(workspace: str | Path | Workspace | None) -> Workspace:
    """Return *workspace* as a `Workspace`; by default, the workspace that the environment names."""
    return workspace if isinstance(workspace, Workspace) else workspace_at(workspace)


def _is_path(text: str) -> bool:
    return "/" in text or os.sep in text or text.startswith(".")


def version_in(folder: Store | Path) -> Version:
    """Open the version in *folder*."""
    store = open_store(folder)
    return Version(store.url, publications.read_manifest(store))


def datasets(workspace: Workspace) -> list[str]:
    """Return the names of the data sets that have a version."""
    return [name for name in workspace.datasets() if publications.version_ids(workspace.dataset(name))]


def dataset_store(workspace: Workspace, dataset: str) -> Store:
    """Return the store of a data set's versions.

    Raises:
        UsageError: There is no such data set; the hint has the nearest name.
    """
    known, place = datasets(workspace), workspace.store.address()
    if dataset in known:
        return workspace.dataset(dataset)
    near = get_close_matches(dataset, known, 1)
    if near:
        hint = f"did you mean `{near[0]}`?"
    elif known:
        hint = f"data sets: {', '.join(known)}"
    else:
        hint = "nothing is published there: publish with `corpusmill run`, or select another --workspace or --store"
    raise UsageError(f"there is no data set {dataset!r} in {place}", hint=hint, value=dataset)


def find(dataset: Store, reference: str) -> str:
    """Return the id of the version that *reference* (an id, the beginning of one, or a tag) names in a data set.

    Raises:
        UsageError: No version matches, or several do.
    """
    ids, names = publications.version_ids(dataset), publications.tags(dataset)
    name = posixpath.basename(dataset.address())
    if reference in ids:
        return reference
    if reference in names:
        return _tagged(names[reference], ids, reference)
    near = [version for version in ids if version.startswith(reference)] if len(reference) >= MIN_PREFIX else []
    if len(near) == 1:
        return near[0]
    if near:
        raise UsageError(f"{len(near)} versions of {name} begin with {reference!r}", hint=", ".join(near))
    guess = get_close_matches(reference, [*names, *ids], 1)
    hint = f"did you mean `{name}@{guess[0]}`?" if guess else f"list them with `corpusmill versions {name}`"
    raise UsageError(f"{name} has no version or tag {reference!r}", hint=hint, value=reference)


def _tagged(version: str, ids: list[str], tag: str) -> str:
    if version not in ids:
        raise UsageError(f"the version {version}, which the tag {tag!r} names, no longer exists")
    return version


def _current(dataset: Store) -> str:
    version = publications.current(dataset)
    assert version is not None, "a data set has a version"
    return version


def is_version_id(text: str) -> bool:
    """Return whether *text* has the form of a version id."""
    return re.fullmatch(rf"[0-9a-f]{{{VERSION_ID_LENGTH}}}", text) is not None


def id_range(beginning: str) -> tuple[str, str]:
    """Return the least and the greatest document id that start with *beginning*.

    >>> id_range("ab")[1][:4]
    'abff'
    """
    return beginning.ljust(ID_LENGTH, "0"), beginning.ljust(ID_LENGTH, "f")
