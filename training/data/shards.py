"""Reading the text of a version, or of any Parquet with a text column, window by window."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from corpusmill.schemas.errors import DamagedFileError, SourceError, UsageError
from corpusmill.schemas.hashing import file_sha256

_OPEN_ROW_GROUPS: Final = 4
"""Decoded row groups that are kept while their windows are asked for one after the other."""


@dataclass(frozen=True)
class Window:
    """Unit of shuffling: the part *part* of *parts* of a row group."""

    file: str
    row_group: int
    part: int
    parts: int


@dataclass(frozen=True)
class Shard:
    """One Parquet file; `sha256` and `text_bytes` are known when a manifest says so."""

    path: str
    rows: int
    row_groups: int
    size: int
    sha256: str | None = None
    text_bytes: int | None = None


@dataclass(frozen=True)
class Corpus:
    """The files of one split, in name order.

    Attributes:
        version: The version's id, or ``files-…`` (a hash of names, sizes and rows) for Parquet without a manifest.
    """

    path: str
    dataset: str | None
    version: str
    split: str
    text_column: str
    shards: tuple[Shard, ...] = field(repr=False)

    @property
    def rows(self) -> int:
        """Documents, those without text included."""
        return sum(shard.rows for shard in self.shards)

    @property
    def report(self) -> str | None:
        """Path of the version's report."""
        report = Path(self.path) / "report.html"
        return str(report) if report.is_file() else None

    def windows(self, *, at_least: int) -> tuple[Window, ...]:
        """Give the units of shuffling: row groups, cut in equal parts where there are fewer than *at_least*."""
        groups = [(shard.path, group) for shard in self.shards for group in range(shard.row_groups)]
        parts = -(-at_least // len(groups)) if groups else 1
        return tuple(Window(path, group, part, parts) for path, group in groups for part in range(parts))

    def texts(self, window: Window) -> pa.ChunkedArray:
        """Give the texts of *window*; rows without text are left out."""
        if window.parts == 1:
            return _row_group(window.file, window.row_group, self.text_column)
        texts = _kept_row_group(window.file, window.row_group, self.text_column)
        first, stop = (len(texts) * part // window.parts for part in (window.part, window.part + 1))
        return texts.slice(first, stop - first)

    def batches(self, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """Give *columns* of all rows in file order; a column that a file does not have is left out."""
        for shard in self.shards:
            with _reader(shard.path) as file:
                present = [name for name in columns if name in file.schema_arrow.names]
                yield from file.iter_batches(batch_size=1024, columns=present, use_threads=False)

    def verify(self) -> None:
        """Compare each file with the SHA-256 that the manifest gives.

        Raises:
            DamagedFileError: A file differs.
        """
        for shard in self.shards:
            if shard.sha256 is not None and file_sha256(Path(shard.path)) != shard.sha256:
                raise _differs(shard.path)


def open_corpus(path: Path | str, *, split: str = "train", text_column: str = "text") -> Corpus:
    """Open the split *split* of the version folder *path*, or of a folder or file of Parquet.

    Without a manifest, the files `<split>-*.parquet` are the split; where no file is named so, all files are `train`.
    Only footers are read. A split without files gives a corpus without shards.

    Raises:
        UsageError: *path* is not there, or holds no Parquet.
        SourceError: A file has no column *text_column*, or the manifest cannot be read.
        DamagedFileError: A file is missing, has another size than the manifest says, or is not Parquet.
    """
    root = Path(path)
    manifest = root / "manifest.json"
    if manifest.is_file():
        listed = _read_manifest(manifest)
        files = sorted((entry for entry in listed.files if entry.split == split), key=lambda entry: entry.path)
        shards = tuple(_shard(_inside(root, entry.path), text_column, entry) for entry in files)
        return Corpus(str(root), listed.dataset, listed.version, split, text_column, shards)
    shards = tuple(_shard(file, text_column) for file in _loose_files(root, split=split))
    return Corpus(str(root), None, _name_of(shards), split, text_column, shards)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    path: str
    split: str
    rows: int
    bytes: int
    text_bytes: int
    sha256: str


class _Manifest(BaseModel):
    """What the trainer needs of a manifest; a later format may say more."""

    model_config = ConfigDict(extra="ignore")

    dataset: str
    version: str
    files: tuple[_Entry, ...]


def _read_manifest(path: Path) -> _Manifest:
    try:
        return _Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise SourceError(f"not a manifest of a version: {error.errors()[0]['msg']}", file=str(path)) from None


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise SourceError(f"the manifest names a file outside of its folder: {name}", file=str(root / "manifest.json"))
    return path


def _loose_files(root: Path, *, split: str) -> list[Path]:
    if not root.exists():
        raise UsageError(f"{root} is not there", hint="name a version's folder, or a folder or file of Parquet")
    files = sorted(root.rglob("*.parquet")) if root.is_dir() else [root]
    if not files:
        raise UsageError(f"{root} holds no Parquet files", hint="name a version's folder, or a folder of Parquet")
    named = [file for file in files if file.name.split("-")[0] in {"train", "validation", "test"}]
    if named:
        return [file for file in named if file.name.startswith(f"{split}-")]
    return files if split == "train" else []


def _shard(path: Path, text_column: str, entry: _Entry | None = None) -> Shard:
    if not path.is_file():
        raise DamagedFileError(
            "the file is missing", file=str(path), hint="run the recipe again, or copy the folder whole"
        )
    size = path.stat().st_size
    if entry is not None and size != entry.bytes:
        raise _differs(str(path))
    with _reader(str(path)) as file:
        metadata, schema = file.metadata, file.schema_arrow
    if text_column not in schema.names:
        raise SourceError(
            f"no column `{text_column}`", file=str(path), hint=f"it has the columns {', '.join(schema.names)}"
        )
    kind = schema.field(text_column).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise SourceError(f"the column `{text_column}` is {kind}, not text", file=str(path))
    known = {} if entry is None else {"sha256": entry.sha256, "text_bytes": entry.text_bytes}
    return Shard(str(path), metadata.num_rows, metadata.num_row_groups, size, **known)  # type: ignore[arg-type]


def _differs(path: str) -> DamagedFileError:
    return DamagedFileError(
        "the file is not the one that the manifest describes", file=path, hint="copy the version again, or rebuild it"
    )


def _name_of(shards: tuple[Shard, ...]) -> str:
    said = json.dumps([[Path(shard.path).name, shard.size, shard.rows] for shard in shards])
    return f"files-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


class _reader:  # noqa: N801 - used as a function
    """A Parquet file that names itself when it is damaged."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> Any:
        try:
            self._file = pq.ParquetFile(self._path)
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedFileError(f"not a Parquet file: {error}", file=self._path) from None
        return self._file

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._file.close()
        if isinstance(error, (pa.ArrowInvalid, OSError)):
            raise DamagedFileError(f"the file cannot be read: {error}", file=self._path) from error


def _row_group(path: str, group: int, column: str) -> pa.ChunkedArray:
    with _reader(path) as file:
        return file.read_row_group(group, columns=[column], use_threads=False).column(0).drop_null()


_kept_row_group = functools.lru_cache(maxsize=_OPEN_ROW_GROUPS)(_row_group)
