"""The files to deduplicate: what they hold, checked before any work starts, and the parts in which they are read.

A part is read by one task and written as one file. Parts depend on the files alone, never on the number of workers.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.file_dedup.ids import can_be_id
from corpusmill.schemas.errors import DamagedFileError, UsageError

Kind: TypeAlias = Literal["parquet", "jsonl"]
NAMES: Final[dict[Kind, str]] = {"parquet": "Parquet", "jsonl": "JSON Lines"}
PARQUET_SUFFIXES: Final = (".parquet", ".pq")
_MAGIC: Final = b"PAR1"
_PROBED_RECORDS: Final = 100
"""Records of a JSON file that are read to learn its fields before the work starts."""
_PARTS: Final = 16
_MIN_PART_BYTES: Final = 4 * 2**20
_MAX_PART_BYTES: Final = 64 * 2**20


class Row(Protocol):
    """A record of a JSON file: an object, or the rule and message under which it is set aside."""

    offset: int
    value: dict[str, Any] | None
    rule: str | None
    message: str | None
    is_changed: bool


class JsonReader(Protocol):
    """The part of the loader of JSON Lines that is used here."""

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return the slices ``[start, end)`` of a file; an end of -1 is the end of the file."""
        ...

    def rows(self, path: str, *, start: int, end: int) -> Iterator[Row]:
        """Yield the records that begin in a slice."""
        ...


@dataclass(frozen=True)
class Columns:
    """The columns that are compared: names, and whether the files have them.

    Args:
        id: None: no file has ids, so a document is known by its text.
        time: None: no file has the column, or the order does not need it.
    """

    text: str
    id: str | None
    time: str | None


@dataclass(frozen=True)
class File:
    """A file with its columns: names and, for Parquet, types. JSON records may have further fields.

    Args:
        name: Its path relative to the folder that has all files, for the ledger.
    """

    path: Path
    name: str
    kind: Kind
    schema: pa.Schema


@dataclass(frozen=True)
class Piece:
    """A range of a file: row groups of Parquet, or bytes of JSON. The other fields are those of the file."""

    path: str
    name: str
    start: int
    end: int
    size: int
    modified_ns: int

    def refuse_changed(self) -> None:
        """Check that the file is the one that was looked at when the run began.

        Raises:
            DamagedFileError: It has changed, or is gone.
        """
        if _status(Path(self.path)) != (self.size, self.modified_ns):
            raise DamagedFileError("the file has changed during the run", file=self.path, hint="start the run again")


@dataclass(frozen=True)
class Part:
    """Consecutive pieces of files of one format.

    Parts of the files to deduplicate count from 0, those of the reference from -1 downwards.
    """

    number: int
    kind: Kind
    pieces: tuple[Piece, ...]

    @property
    def is_reference(self) -> bool:
        """Whether its documents come first and are not written."""
        return self.number < 0

    def as_row(self) -> dict[str, Any]:
        """Return the part as a row of a step."""
        pieces = json.dumps([asdict(piece) for piece in self.pieces])
        return {"part": self.number, "kind": self.kind, "pieces": pieces}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Part:
        """Return the part of a row made by `as_row`."""
        return cls(row["part"], row["kind"], tuple(Piece(**piece) for piece in json.loads(row["pieces"])))


def kind_of(path: Path, *, json_suffixes: Sequence[str]) -> Kind:
    """Return the format of the file at *path*.

    Raises:
        UsageError: It is neither Parquet nor JSON, or cannot be read.
        DamagedFileError: It is named like Parquet, but does not begin like it.
    """
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        hint = "let this user read the file (`chmod +r`), or leave it out"
        raise UsageError(f"cannot be read: {error.strerror}", file=str(path), hint=hint) from error
    name = path.name.lower()
    if is_parquet:
        return "parquet"
    if name.endswith(PARQUET_SUFFIXES):
        raise DamagedFileError("not a readable Parquet file", file=str(path), hint="remove it, or write it again")
    if name.endswith(tuple(json_suffixes)):
        return "jsonl"
    raise UsageError(
        "neither Parquet nor JSON Lines",
        file=str(path),
        hint=f"JSON Lines files end in {', '.join(json_suffixes[:4])}, …; name only files that you mean",
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return *paths* relative to the deepest folder that has them all: the same ones wherever this folder is.

    >>> names_of([Path("/crawl/may/a.jsonl"), Path("/crawl/june/a.jsonl")])
    ['may/a.jsonl', 'june/a.jsonl']
    """
    if not paths:
        return []
    folder = os.path.commonpath([path.parent for path in paths])
    return [os.fsencode(path.relative_to(folder).as_posix()).decode(errors="replace") for path in paths]


def look_at(path: Path, kind: Kind, reader: JsonReader, *, name: str) -> File:
    """Return the file at *path* with its columns, from its footer or its first records.

    Raises:
        DamagedFileError: The footer of a Parquet file cannot be read.
        UsageError: Two columns have the same name.
    """
    if kind == "jsonl":
        rows = islice(reader.rows(str(path), start=0, end=-1), _PROBED_RECORDS)
        names = dict.fromkeys(name for row in rows for name in row.value or ())
        return File(path, name, kind, pa.schema([(name, pa.string()) for name in names]))
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        message = f"not a readable Parquet file: {' '.join(str(error).split())[:200]}"
        raise DamagedFileError(message, file=str(path), hint="remove it, or write it again") from error
    repeated = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if repeated is not None:
        raise UsageError(
            f"two columns have the name `{repeated}`", file=str(path), hint="give each column a name of its own"
        )
    return File(path, name, kind, schema)


def columns_of(files: Sequence[File], *, text: str, id_column: str | None, time: str | None) -> Columns:
    """Return the columns to compare, after checking that *files* have them.

    Args:
        id_column: None: ``id``, or no ids if no file has that column.
        time: The column that orders documents; it may be missing. None: the order does not need one.

    Raises:
        UsageError: A file lacks a column, or its type cannot be used.
    """
    with_columns = [file for file in files if file.schema.names]
    for file in with_columns:
        _require(file, text, option="--column")
    has_id = any("id" in file.schema.names for file in with_columns)
    name = id_column or ("id" if has_id else None)
    if name is not None:
        for file in with_columns:
            _require(file, name, option="--id-column")
    for file in with_columns:
        if file.kind == "parquet":
            _refuse_types(file, text=text, id_column=name)
    has_time = any(time in file.schema.names for file in with_columns)
    return Columns(text, name, time if has_time else None)


def _require(file: File, name: str, *, option: str) -> None:
    names = file.schema.names
    if name in names:
        return
    from corpusmill.schemas.problems import nearest  # takes 70 ms, so only where it is needed

    near = nearest(name, names)
    texts = [field.name for field in file.schema if _is_text(field.type)]
    close = near or (texts[0] if option == "--column" and len(texts) == 1 else None)
    raise UsageError(
        f"has no column `{name}`; it has {', '.join(f'`{known}`' for known in names)}",
        file=str(file.path),
        field=option,
        value=name,
        hint=f"did you mean `{option} {close}`?" if close else f"name a column of every file: `{option} NAME`",
    )


def _refuse_types(file: File, *, text: str, id_column: str | None) -> None:
    kind = file.schema.field(text).type
    if not _is_text(kind):
        raise UsageError(
            f"the column `{text}` has the type {kind}, not text",
            file=str(file.path),
            field="--column",
            value=text,
            hint="name a text column: `--column NAME`",
        )
    if id_column is not None and not can_be_id(file.schema.field(id_column).type):
        raise UsageError(
            f"the column `{id_column}` has the type {file.schema.field(id_column).type}, which cannot be an id",
            file=str(file.path),
            field="--id-column",
            value=id_column,
            hint="name a column of texts or integers: `--id-column NAME`",
        )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def without_views(kind: pa.DataType) -> pa.DataType:
    """Return *kind* with plain texts and bytes in place of views, which Arrow cannot filter; a file stores them alike.

    >>> without_views(pa.list_(pa.string_view()))
    ListType(list<item: string>)
    """
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(without_views(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(without_views(field.type)) for field in kind])
    return kind


def merged_schema(files: Sequence[File]) -> pa.Schema:
    """Return the columns of all Parquet *files*, with their types, in the order in which they appear first.

    Raises:
        UsageError: A column has different types in two files.
    """
    fields: dict[str, tuple[pa.Field, File]] = {}
    for file in files:
        for field in file.schema:
            known, first = fields.setdefault(field.name, (field, file))
            if known.type != field.type:
                raise UsageError(
                    f"the column `{field.name}` has the type {field.type}, but {known.type} in {first.path}",
                    file=str(file.path),
                    hint="write the files with one type for each column, or run the command once for each type",
                )
    count = Counter(name for file in files for name in file.schema.names)
    missing = {name for name in fields if count[name] < len(files)}
    nullable = {field.name for file in files for field in file.schema if field.nullable} | missing
    schema = pa.schema(
        [
            pa.field(name, without_views(field.type), name in nullable, field.metadata)
            for name, (field, _) in fields.items()
        ]
    )
    return schema.with_metadata(None if missing else files[0].schema.metadata)


def parts_of(files: Sequence[File], reader: JsonReader, *, is_reference: bool = False) -> tuple[Part, ...]:
    """Return the parts of *files*: about `_PARTS`, but of at least `_MIN_PART_BYTES` and at most `_MAX_PART_BYTES`."""
    pieces = {kind: [piece for file in files if file.kind == kind for piece in _pieces(file, reader)] for kind in NAMES}
    total = sum(size for sized in pieces.values() for _, size in sized)
    target = min(max(total // _PARTS, _MIN_PART_BYTES), _MAX_PART_BYTES)
    bundles = [(kind, bundle) for kind, sized in pieces.items() for bundle in _bundles(sized, target)]
    numbers = (-1 - index if is_reference else index for index in range(len(bundles)))
    return tuple(Part(number, kind, bundle) for number, (kind, bundle) in zip(numbers, bundles, strict=True))


def _bundles(pieces: Iterable[tuple[Piece, int]], target: int) -> Iterator[tuple[Piece, ...]]:
    bundle: list[Piece] = []
    size = 0
    for piece, piece_size in pieces:
        if bundle and size + piece_size > target:
            yield tuple(bundle)
            bundle, size = [], 0
        if bundle and bundle[-1].path == piece.path:
            bundle[-1] = replace(bundle[-1], end=piece.end)
        else:
            bundle.append(piece)
        size += piece_size
    if bundle:
        yield tuple(bundle)


def _pieces(file: File, reader: JsonReader) -> Iterator[tuple[Piece, int]]:
    """Yield the smallest pieces of *file*, each with its size in bytes."""
    size, modified_ns = _status(file.path)
    if file.kind == "jsonl":
        for start, end in reader.slices(str(file.path)):
            yield Piece(str(file.path), file.name, start, end, size, modified_ns), end - start if end >= 0 else size
        return
    metadata = pq.read_metadata(file.path)
    groups = range(metadata.num_row_groups)
    for number in groups:
        group = metadata.row_group(number)
        stored = sum(group.column(column).total_compressed_size for column in range(group.num_columns))
        yield Piece(str(file.path), file.name, number, number + 1, size, modified_ns), stored
    if not groups:
        yield Piece(str(file.path), file.name, 0, 0, size, modified_ns), 0


def _status(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
