"""Scan tasks: each reads a slice of a large file or a bundle of small files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from corpusmill.pipelines.engines.addresses import distribution_versions
from corpusmill.pipelines.engines.base import resolve
from corpusmill.pipelines.engines.plan import ScanTask
from corpusmill.pipelines.stages.read import raw_row
from corpusmill.schemas.hashing import file_sha256
from corpusmill.schemas.raw import RawFile, RawManifest
from corpusmill.schemas.storage import Store

_SMALL_BYTES: Final = 2**20
"""Files up to this size are read together with others."""
_BUNDLE_FILES: Final = 32
"""Mean number of small files per task."""
_BUNDLE_BYTES: Final = 8 * 2**20
_REFUSED: Final = "corpusmill.crawlers.loaders.refused:Refused"


class LoaderValue(Protocol):
    """The parts of a loader that the plan uses."""

    version: int
    depends: tuple[str, ...]
    uses_name: bool
    site_policy: str | None

    @property
    def respected(self) -> frozenset[str]:
        """The kinds of opt-outs that prevent publication."""
        ...

    @property
    def has_vectors(self) -> bool:
        """Whether records may have an embedding, in the column `vector`."""
        ...

    @property
    def has_deletions(self) -> bool:
        """Whether files can name deleted records of other files."""
        ...

    @property
    def reads_name(self) -> bool:
        """Whether the name of a file affects the records."""
        ...

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return the slices of a file."""
        ...

    def companions(self, path: str) -> tuple[str, ...]:
        """Return the local files that are read with a file."""
        ...

    def content_bytes(self, path: str) -> int:
        """Return the approximate decompressed size of a file in bytes."""
        ...


@dataclass(frozen=True)
class SourceInput:
    """A source that has been crawled or loaded.

    Args:
        loader: ``module:Class`` of the loader of its files.
        params: The loader's parameters as JSON.
        raw: Location of files with relative paths in the manifest.
    """

    name: str
    manifest: RawManifest
    raw: Store
    loader: str
    params: str
    license: str | None = None

    def path(self, file: RawFile) -> str:
        """Return the absolute path or URL of a file in the manifest."""
        return file.path if file.is_in_place else self.raw.address(file.path)

    def loader_value(self) -> LoaderValue:
        """Return the loader with its parameters."""
        loader: LoaderValue = resolve(self.loader).model_validate_json(self.params)
        return loader


@dataclass(frozen=True)
class _Slice:
    """A slice of a raw file: its input row, the part of it that decides the output, and its size in bytes."""

    row: dict[str, Any]
    identity: dict[str, Any]
    size: int
    is_small: bool


def scan_tasks(sources: Sequence[SourceInput]) -> Iterator[ScanTask]:
    """Yield the tasks that read *sources*: a slice of a large file, or a bundle of small files, per task."""
    for source in sources:
        slices = list(_slices(source))
        for piece in slices:
            if not piece.is_small:
                yield ScanTask((piece.row,), piece.identity)
        for bundle in bundles([piece for piece in slices if piece.is_small]):
            yield ScanTask(tuple(piece.row for piece in bundle), [piece.identity for piece in bundle])


def gone_tasks(sources: Sequence[SourceInput]) -> Iterator[ScanTask]:
    """Yield the tasks that read the tables of pages that are gone."""
    for source in sources:
        for table in source.manifest.gone:
            row = {"source": source.name, "address": source.path(table), "sha256": table.sha256}
            yield ScanTask((row,), {"source": source.name, "gone": table.sha256})


def bundles(slices: list[_Slice]) -> Iterator[list[_Slice]]:
    """Group small files into bundles of about `_BUNDLE_FILES`, so that starting a task is cheap relative to its work.

    Files are sorted by hash, and a bundle ends after a file whose hash says so. A new file therefore changes only the
    bundle that it falls into.
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
    loader = source.loader_value()
    identity = {
        "source": source.name,
        "license": source.license,
        "loader": [source.loader, loader.version, json.loads(source.params)],
        "tools": distribution_versions(loader.depends),
    }
    for file in source.manifest.files:
        if file.responses == 0:
            continue
        path = source.path(file)
        if file.rule is not None:
            yield _refused(source, file, path)
            continue
        name = file.name if loader.reads_name else None
        companions = [_sha256(Path(other)) for other in loader.companions(path)]
        described = identity | ({"companions": companions} if companions else {})
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
            of = {**described, "file": file.sha256, "slice": [start, end], "name": name}
            yield _Slice(row, of, size=file.size, is_small=file.size <= _SMALL_BYTES)


def _sha256(path: Path) -> str:
    status = path.stat()
    return _sha256_of_version(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)  # the files of a folder often have the same companions
def _sha256_of_version(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001
    return file_sha256(path)


def _refused(source: SourceInput, file: RawFile, path: str) -> _Slice:
    """Return the slice that yields the row of a member of an archive that cannot be read."""
    row = raw_row(
        source=source.name,
        path=path,
        name=file.name,
        sha256=file.sha256,
        start=0,
        end=-1,
        loader=_REFUSED,
        params=json.dumps({"rule": file.rule, "message": file.message}),
        license=source.license,
    )
    of = {"source": source.name, "refused": [file.name, file.rule, file.message], "file": file.sha256}
    return _Slice(row, of, size=0, is_small=True)
