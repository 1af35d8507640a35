"""Read the texts of evaluation sets: JSON Lines, a JSON array, or Parquet; JSON also compressed (gzip, zstd)."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from corpusmill.pipelines.stages.decontaminate.index import Entry
from corpusmill.schemas.errors import RecipeError
from corpusmill.schemas.problems import hint_among, shown

MAX_BYTES: Final = 1 << 30
"""Largest evaluation file, decompressed. The largest public ones have about 100 MB."""
_PIECE_BYTES: Final = 1 << 16
"""Compressed bytes that are decompressed at once."""
_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://\S+")
"""A string that is only a web address names a document, and is not a text."""
_KNOWN_COLUMNS: Final = 20


class UnreadableError(RecipeError):
    """A file is not a table of evaluation texts.

    Args:
        column: Position of the column at fault among those of the recipe; None: the file itself is at fault.
    """

    def __init__(self, message: str, *, hint: str | None = None, column: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.column = column


def entries(data: bytes, *, file: str, columns: Sequence[str] | None) -> list[Entry]:
    """Return the texts of the file with the content *data*, in order.

    Each string is one text, at any depth of a record. A string that is only a web address is not a text.

    Args:
        file: The name of the file in the entries.
        columns: Fields to read; dots lead into nested fields, and a list means all its items. None: all.

    Raises:
        UnreadableError: The file cannot be read, lacks a column, or has no text.
    """
    result: list[Entry] = []
    known: dict[str, None] = {}
    present: set[str] = set()
    with_text: set[str] = set()
    for number, record in _records(data):
        known |= dict.fromkeys(record)
        for column in columns or record:
            values = list(_at(record, column.split(".") if columns else [column], column))
            texts = [Entry(file, number, field, text) for value, at in values for field, text in _texts(value, at)]
            present |= {column} if values else set()
            with_text |= {column} if texts else set()
            result += texts
    for position, column in enumerate(columns or ()):
        if column not in present:
            hint = hint_among(column, tuple(known)[:_KNOWN_COLUMNS], noun="columns")
            raise UnreadableError(f"no record has the column `{column}`", hint=hint, column=position)
        if column not in with_text:
            raise UnreadableError(f"the column `{column}` has no text", hint=_columns_hint(known), column=position)
    if not result:
        raise UnreadableError("the file has no text", hint=_columns_hint(known))
    return result


def _columns_hint(known: dict[str, None]) -> str:
    return f"columns: {', '.join(tuple(known)[:_KNOWN_COLUMNS])}" if known else "name a file with records"


def _at(value: Any, path: Sequence[str], place: str) -> Iterator[tuple[Any, str]]:
    """Yield the values at *path* in *value*, with their places; in a list, those in all its items."""
    if isinstance(value, list) and path:
        for item in value:
            yield from _at(item, path, place)
    elif not path:
        if value is not None:
            yield value, place
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:], place)


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield the strings in *value*, with their places, such as ``choices.0``."""
    if isinstance(value, str):
        if value.strip() and not _ADDRESS.fullmatch(value.strip()):
            yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{place}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{place}.{number}")


def _records(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records with their numbers, from 1.

    Raises:
        UnreadableError: The file, or a record, cannot be read.
    """
    if data.startswith(_PARQUET):
        yield from enumerate(_rows(data), start=1)
        return
    data = _decompressed(data).removeprefix(b"\xef\xbb\xbf")
    if data.lstrip().startswith(b"["):
        yield from ((number, _object(item, number)) for number, item in enumerate(_parsed(data, None), start=1))
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield number, _object(_parsed(line, number), number)


def _object(value: Any, number: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableError(
            f"record {number} is not an object, but `{shown(value)}`",
            hint='write each record as an object, such as {"text": "…"}',
        )
    return value


def _parsed(data: bytes, line: int | None) -> Any:
    place = "" if line is None else f"line {line}: "
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        problem = f"{place}not UTF-8: {error.reason}"
    except (ValueError, RecursionError) as error:
        problem = f"{place}not JSON: {error}"
    raise UnreadableError(problem, hint="name JSON Lines (plain, .gz or .zst), a JSON array, or Parquet")


def _rows(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        for batch in pq.ParquetFile(io.BytesIO(data)).iter_batches():
            yield from batch.to_pylist(maps_as_pydicts="lossy")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(f"not a readable Parquet file: {shown(str(error))}", hint="copy it again") from error


def _decompressed(data: bytes) -> bytes:
    """Return *data*, without the compression of gzip or zstd.

    Raises:
        UnreadableError: It is damaged, or larger than `MAX_BYTES`.
    """
    try:
        if data.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(MAX_BYTES + 1)
        elif data.startswith(_ZSTD):
            data = _unzstd(data)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise UnreadableError(f"cannot be decompressed: {error}", hint="copy it again") from error
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES:,} bytes", hint="split it into several files")
    return data


def _unzstd(data: bytes) -> bytes:
    """Return the content of all zstd frames in *data*, up to `MAX_BYTES` and a piece.

    Raises:
        EOFError: The last frame is not complete.
    """
    pieces: list[bytes] = []
    size = place = 0
    while place < len(data) and size <= MAX_BYTES:
        frame = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
        while not frame.eof and size <= MAX_BYTES:
            if place >= len(data):
                raise EOFError("it ends early")
            pieces.append(frame.decompress(data[place : place + _PIECE_BYTES]))
            size += len(pieces[-1])
            place += _PIECE_BYTES
        place = min(place, len(data)) - len(frame.unused_data)
    return b"".join(pieces)
