"""The tasks that read raw files: a slice of a large file each, or a bundle of small files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from corpusmill.pipelines.engines.addresses import distribution_versions
from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.engines.plan import ScanTask
from corpusmill.pipelines.stages.read import raw_row
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.storage import Store

_SMALL_BYTES: Final = 2**20
"""A file up to this size is read together with others."""
_BUNDLE_FILES: Final = 32
"""Small files in a task, in the mean."""
_BUNDLE_BYTES: Final = 8 * 2**20


class LoaderValue(Protocol):
    """What the plan asks of a loader."""

    version: int
    depends: tuple[str, ...]
    uses_name: bool

    @property
    def reads_name(self) -> bool:
        """Whether the name of a file decides what is read."""
        ...

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Give the slices of a file."""
        ...

    def content_bytes(self, path: str) -> int:
        """Give about how many bytes a file has when compression is undone."""
        ...


@dataclass(frozen=True)
class SourceInput:
    """A source that was crawled or loaded.

    Args:
        loader: ``module:Class`` of the loader of its files.
        params: The loader's parameters as JSON.
        raw: Where the files lie that have relative paths in the manifest.
    """

    name: str
    manifest: RawManifest
    raw: Store
    loader: str
    params: str
    license: str | None = None

    def path(self, file: RawFile) -> str:
        """Give the absolute path, or the URL, of a file of the manifest."""
        store, key = file.stored(self.raw)
        return store.address(key)


@dataclass(frozen=True)
class _Slice:
    """A slice of a raw file: the row that names it, what of it decides the output, and its size in bytes."""

    row: dict[str, Any]
    identity: dict[str, Any]
    size: int
    is_small: bool


def scan_tasks(sources: Sequence[SourceInput]) -> Iterator[ScanTask]:
    """Give the tasks that read *sources*: a slice of a large file each, or a bundle of small files."""
    for source in sources:
        slices = list(_slices(source))
        for piece in slices:
            if not piece.is_small:
                yield ScanTask((piece.row,), piece.identity)
        for bundle in bundles([piece for piece in slices if piece.is_small]):
            yield ScanTask(tuple(piece.row for piece in bundle), [piece.identity for piece in bundle])


def bundles(slices: list[_Slice]) -> Iterator[list[_Slice]]:
    """Group small files, some `_BUNDLE_FILES` of them, so that a task costs more than its start.

    Files are taken in the order of their hashes, and a bundle ends behind a file whose hash says so: a new file changes
    the one bundle into which it falls, and no other.
    """
    bundle: list[_Slice] = []
    size = 0
    for piece in sorted(slices, key=lambda piece: (piece.row["sha256"], piece.row["name"])):
        bundle.append(piece)
        size += piece.size
        if int(piece.row["sha256"][:8], 16) % _BUNDLE_FILES == 0 or size >= _BUNDLE_BYTES:
            yield bundle
            bundle, size = [], 0
    if bundle:
        yield bundle


def _slices(source: SourceInput) -> Iterator[_Slice]:
    loader: LoaderValue = resolve(source.loader).model_validate_json(source.params)
    identity = {
        "source": source.name,
        "license": source.license,
        "loader": [source.loader, loader.version, json.loads(source.params)],
        "tools": distribution_versions(loader.depends),
    }
    for file in source.manifest.files:
        path = source.path(file)
        name = file.name if loader.reads_name else None
        for start, end in loader.slices(path):
            row = raw_row(
                source=source.name,
                path=path,
                name=file.name,
                sha256=file.sha256,
                start=start,
                end=end,
                loader=source.loader,
                params=source.params,
                license=source.license,
            )
            of = {**identity, "file": file.sha256, "slice": [start, end], "name": name}
            yield _Slice(row, of, size=file.size, is_small=file.size <= _SMALL_BYTES)
