"""Common Crawl's columnar index: choose records of web archives, and read only their bytes.

The index is a table in Parquet with a row for each capture. `warc_filename` is the path of its archive below a prefix,
`warc_record_offset` and `warc_record_length` are the place of its gzip member in there.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.crawlers.inputs import Input, matching_inputs
from corpusmill.crawlers.loaders.cc_where import TABLE, columns_of, connection, selecting
from corpusmill.crawlers.loaders.streams import GZIP_MAGIC, random_access, unreadable
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.problems import hint_among
from corpusmill.schemas.storage import is_url, located

PART_BYTES: Final = 64 * 2**20
"""Compressed size of a file with chosen records."""
PLACE: Final = ("warc_filename", "warc_record_offset", "warc_record_length")
_PARTITION: Final = re.compile(r"([A-Za-z_]\w*)=([^/]*)")


class Capture(NamedTuple):
    """The place of a record: the archive's path below the prefix, and the bytes in there."""

    archive: str
    offset: int
    length: int


def chosen(patterns: Sequence[str], where: str | None, *, base: Path) -> list[Capture]:
    """Return the captures in the index at *patterns* that *where* chooses, each once, sorted by archive and offset.

    Raises:
        SourceError: A file of the index is missing, has no such column, or the condition fails on it.
    """
    columns = frozenset() if where is None else columns_of(where)
    files = [file for pattern in patterns for file in matching_inputs(pattern, base=base, suffixes=(".parquet",))]
    captures = {capture for file in files for capture in _of_file(file, where or "true", columns)}
    return sorted(captures)


def archives_of(captures: Sequence[Capture], prefixes: Sequence[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name and the bytes of archives with the records of *captures*, whose own archives are below *prefixes*.

    Raises:
        SourceError: An archive is missing, or has no record at the place.
    """
    for number, part in enumerate(_parts(captures)):
        yield f"records-{number:05}.warc.gz", (_member(capture, prefixes) for capture in part)


def _of_file(file: Input, where: str, columns: frozenset[str]) -> Iterator[Capture]:
    place = file.address
    try:
        table = pq.ParquetFile(random_access(place))
    except (pa.ArrowInvalid, OSError) as error:
        hint = "name files of the columnar index, such as `cc-index/*.parquet`"
        raise SourceError(f"not a file of an index: {error}", file=place, field="index", hint=hint) from error
    own = table.schema_arrow.names
    partitions = {name: value for name, value in _PARTITION.findall(place) if name not in own}
    by_lower = {name.lower(): name for name in [*partitions, *own]}
    if missing := sorted(name for name in {*columns, *PLACE} if name.lower() not in by_lower):
        field = "index" if missing[0] in PLACE else "where"
        nearest = hint_among(missing[0], tuple(own), noun="columns")
        raise SourceError(
            f"the index has no column `{missing[0]}`", file=place, field=field, value=missing[0], hint=nearest
        )
    wanted = sorted({by_lower[name.lower()] for name in {*columns, *PLACE}} - partitions.keys())
    query = selecting(", ".join(PLACE), where)
    with connection() as database:
        for batch in table.iter_batches(columns=wanted, batch_size=1 << 17):
            rows = pa.Table.from_batches([batch])
            for name, value in partitions.items():
                if name in columns:
                    rows = rows.append_column(name, pa.array([value] * rows.num_rows))
            database.register(TABLE, rows)
            try:
                found = database.execute(query).fetchall()
            except Exception as error:  # each error of the engine is one of the condition
                reason = str(error).splitlines()[0]
                hint = "compare each column with a value of its type"
                raise SourceError(
                    f"the condition fails: {reason}", file=place, field="where", value=where, hint=hint
                ) from error
            for archive, offset, length in found:
                yield _capture(archive, offset, length, place)


def _capture(archive: object, offset: object, length: object, place: str) -> Capture:
    is_valid = isinstance(archive, str) and isinstance(offset, int) and isinstance(length, int)
    if not is_valid or ".." in str(archive).split("/") or int(str(offset)) < 0 or int(str(length)) < 1:
        shown = f"{archive}, {offset}, {length}"
        raise SourceError(
            f"a row names no place in an archive: {shown}", file=place, field="index", hint="check the index"
        )
    return Capture(str(archive).lstrip("/"), int(str(offset)), int(str(length)))


def _parts(captures: Sequence[Capture]) -> Iterator[list[Capture]]:
    part: list[Capture] = []
    size = 0
    for capture in captures:
        if part and size + capture.length > PART_BYTES:
            yield part
            part, size = [], 0
        part.append(capture)
        size += capture.length
    if part:
        yield part


def _member(capture: Capture, prefixes: Sequence[str]) -> bytes:
    """Return the record of *capture* as a gzip member."""
    address = _address(capture.archive, prefixes)
    data = _range(address, capture.offset, capture.length)
    place = f"{capture.length:,} bytes at {capture.offset:,}"
    hint = "the archive is another one than that of the index, or incomplete: fetch it again"
    if len(data) < capture.length:
        raise SourceError(f"the archive ends before the record of {place}", file=address, hint=hint)
    if data.startswith(b"WARC/"):
        return gzip.compress(data, mtime=0)
    if not data.startswith(GZIP_MAGIC):
        raise SourceError(f"no record begins there: {place}", file=address, hint=hint)
    return data


def _address(archive: str, prefixes: Sequence[str]) -> str:
    """Return the address of *archive* below the first of *prefixes* that has it."""
    for prefix in prefixes:
        address = f"{prefix.rstrip('/')}/{archive}"
        if is_url(address):
            store, key = located(address)
            if store.exists(key):
                return address
        elif Path(address).is_file():
            return address
    hint = "set `path` to the folder or the prefix of a store above the paths in `warc_filename`"
    raise SourceError(f"the archive is not there: {archive}", file=f"{prefixes[0].rstrip('/')}/{archive}", hint=hint)


def _range(address: str, offset: int, length: int) -> bytes:
    if is_url(address):
        store, key = located(address)
        return store.read_range(key, offset, length)
    try:
        with Path(address).open("rb") as file:
            file.seek(offset)
            return file.read(length)
    except OSError as error:
        raise unreadable(address, error) from error
