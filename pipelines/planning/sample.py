"""Read a small sample of the raw files, in the same way as the run does, to estimate disk space.

The same files give the same sample: slices are spread evenly over all slices of a source, in the order of their hashes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from corpusmill.pipelines.engines.base import Chain, Scan, Value, resolve
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.plan import ScanTask
from corpusmill.pipelines.planning.limit import LimitedRead
from corpusmill.schemas.document import CAPTURE

_SAMPLED: Final = 20
"""At most one in this many small files, or bytes of large files, is read, so that short runs do not pay twice."""
_SLICES: Final = 12
"""Pieces of large files to read, over all sources."""
_PIECE_BYTES: Final = 2**18
"""Bytes to read of each piece; more if no record begins in them."""
_FILES: Final = 128
"""Small files to read, over all sources."""
_SMALL_FILE_BYTES: Final = 2**20
_ROWS: Final = 384
"""Records to use from the pieces of one source."""
_BYTES: Final = 2 * 2**20
"""Bytes to use from the pieces of one source if records are large; at least one record of each piece is used."""
_READ: Final = 8
"""One in this many records is used where a file is read from its start, as compressed files are."""
_READ_BYTES: Final = 4 * 2**20
"""Bytes to read of such a file if its records are large."""
_RUNS: Final = 4
"""Runs of neighboring records taken from such a file."""


@dataclass(frozen=True)
class Stratum:
    """Rows ``[start, stop)`` of a sample. Each row represents *weight* records."""

    start: int
    stop: int
    weight: float


@dataclass(frozen=True)
class Sample:
    """A sample of the records that the scan returns.

    Args:
        strata: The strata of the rows of *batch*; empty if no record was read.
        unread: The share of the raw files that the sample does not represent.
    """

    batch: pa.RecordBatch
    strata: tuple[Stratum, ...]
    unread: float


@dataclass(frozen=True)
class _Piece:
    """A slice of a raw file: its input row, and its share of the file's bytes on disk."""

    row: Mapping[str, Any]
    raw_bytes: float
    is_file: bool
    """Whether it is the whole file."""

    @property
    def path(self) -> str:
        return str(self.row["path"])

    @property
    def is_small(self) -> bool:
        """Whether it is a small file, which is read from its start."""
        return self.is_file and self.raw_bytes <= (_SMALL_FILE_BYTES if self.row["end"] < 0 else _PIECE_BYTES)


@dataclass(frozen=True)
class _Records:
    """Records of a piece, and how many of its raw bytes they represent."""

    piece: _Piece
    captures: pa.RecordBatch
    raw_bytes: float


def read_sample(scan: Scan, tasks: Sequence[ScanTask], sizes: Mapping[str, int]) -> Sample:
    """Read a sample of the input of *tasks* of *scan*.

    Args:
        sizes: Bytes of each raw file, by absolute path.
    """
    groups: dict[tuple[str, bool], list[_Piece]] = {}
    for piece in sorted(_pieces(tasks, sizes), key=lambda piece: (piece.row["sha256"], piece.row["start"])):
        groups.setdefault((piece.row["source"], piece.is_small), []).append(piece)
    reader, *others = _functions(scan)
    captures: list[pa.RecordBatch] = []
    strata: list[Stratum] = []
    rows = 0
    unread = float(sum(sizes.values()))
    for pieces in groups.values():
        read = _read_all(reader, pieces, _spread(pieces, _count(pieces, strata=len(groups))))
        unread -= sum(one.piece.raw_bytes for one in read)
        for samples, weight in _weighted(pieces, read):
            stop = rows + sum(one.captures.num_rows for one in samples)
            if stop > rows:
                strata.append(Stratum(rows, stop, weight))
                captures += [one.captures for one in samples]
                rows = stop
    finished = list(Chain.of(*others).build()(bounded(captures))) or [pa.RecordBatch.from_pylist([], scan.schema)]
    return Sample(pa.concat_batches(finished), tuple(strata), max(0.0, unread / max(1, sum(sizes.values()))))


def _read_all(reader: Value, pieces: Sequence[_Piece], chosen: Sequence[_Piece]) -> list[_Records]:
    """Read the *chosen* pieces. If no record of a file begins in them, read the first piece of the file as well."""
    samples = [_read(reader, piece, share=1 / len(chosen)) for piece in chosen]
    firsts = {piece.path: piece for piece in reversed(pieces)}
    missing = {piece.path for piece in chosen} - {one.piece.path for one in samples if one.captures.num_rows}
    others = [firsts[path] for path in sorted(missing) if firsts[path] not in chosen]
    return samples + [_read(reader, piece, share=1 / len(chosen)) for piece in others]


def _count(pieces: Sequence[_Piece], *, strata: int) -> int:
    """Return how many of *pieces* to read; they are one of *strata* strata."""
    if pieces[0].is_small:
        return max(8, min(_FILES // strata, len(pieces) // _SAMPLED))
    large = sum(piece.raw_bytes for piece in pieces) / _SAMPLED / _PIECE_BYTES
    return max(2, min(_SLICES // strata, int(large)))


def _pieces(tasks: Iterable[ScanTask], sizes: Mapping[str, int]) -> Iterator[_Piece]:
    rows = [row for task in tasks for row in task.rows]
    count = Counter(row["path"] for row in rows)
    ends: dict[str, int] = {}
    for row in rows:
        ends[row["path"]] = max(ends.get(row["path"], 0), row["end"])
    for row in rows:
        size = float(sizes[row["path"]])
        is_cut = row["end"] >= 0 and ends[row["path"]]
        share = (row["end"] - row["start"]) / ends[row["path"]] if is_cut else 1.0
        yield _Piece(row, size * share, is_file=count[row["path"]] == 1)


def _spread(pieces: Sequence[_Piece], count: int) -> list[_Piece]:
    """Return *count* of *pieces*, evenly spaced."""
    if len(pieces) <= count:
        return list(pieces)
    return [pieces[(2 * index + 1) * len(pieces) // (2 * count)] for index in range(count)]


def _functions(scan: Scan) -> list[Value]:
    """Return the functions of *scan*.

    A function limited to the smallest ids is replaced by one that reads all records.
    """
    functions = scan.function.functions() if isinstance(scan.function, Chain) else [scan.function]
    return [function.unlimited() if isinstance(function, LimitedRead) else function for function in functions]


def _weighted(pieces: Sequence[_Piece], samples: Sequence[_Records]) -> Iterator[tuple[list[_Records], float]]:
    """Yield the *samples* read from some of *pieces*, with the number of records that each record represents.

    Large files may differ in kind (one may hold a single record), so each represents its own bytes, and all together
    represent the files that were not read.
    """
    if resolve(pieces[0].row["loader"]).uses_name:  # each file is one document, whatever its size
        yield list(samples), len(pieces) / len(samples)
        return
    total = sum(piece.raw_bytes for piece in pieces)
    if pieces[0].is_small:
        yield list(samples), total / max(1.0, sum(one.raw_bytes for one in samples))
        return
    sizes: defaultdict[str, float] = defaultdict(float)
    for piece in pieces:
        sizes[piece.path] += piece.raw_bytes
    files: defaultdict[str, list[_Records]] = defaultdict(list)
    for one in samples:
        if one.captures.num_rows:
            files[one.piece.path].append(one)
    share = total / max(1.0, sum(sizes[path] for path in files))
    for path, here in files.items():
        yield here, share * sizes[path] / max(1.0, sum(one.raw_bytes for one in here))


def _read(reader: Value, piece: _Piece, *, share: float) -> _Records:
    """Read records of *piece*, which may hold a *share* of the sample of a source."""
    is_whole = piece.is_small or piece.row["end"] < 0
    captures, part = _from_start(reader, piece, share) if is_whole else _from_window(reader, piece, share)
    return _Records(piece, captures, piece.raw_bytes * part)


def _from_window(reader: Value, piece: _Piece, share: float) -> tuple[pa.RecordBatch, float]:
    """Read the records that begin in a window of a slice. Return them and the share of the slice that they represent.

    The last record may end far after the slice.
    """
    start, end = piece.row["start"], piece.row["end"]
    width = min(_PIECE_BYTES, end - start)
    captures = _joined(reader, piece, end=start + width)
    while not captures.num_rows and width < end - start:
        width = min(4 * width, end - start)
        captures = _joined(reader, piece, end=start + width)
    runs = _runs(captures, share)
    kept = pa.concat_batches(runs)
    read = sum(map(_span, runs)) or width * kept.num_rows / max(1, captures.num_rows)
    return kept, read / max(1, end - start)


def _joined(reader: Value, piece: _Piece, *, end: int) -> pa.RecordBatch:
    return pa.concat_batches(list(_batches(reader, {**piece.row, "end": end})))


def _from_start(reader: Value, piece: _Piece, share: float) -> tuple[pa.RecordBatch, float]:
    """Read the beginning of a slice. Return some of its records and the share of the slice that they represent.

    How far a compressed file was read follows from the positions of the records in the decompressed bytes. Records at
    the start of a file may differ in kind from later ones, so runs of neighbors are taken from everything that was
    read.
    """
    captures, is_all = _beginning(_batches(reader, piece.row), rows=int(_READ * _ROWS * share))
    runs = _runs(captures, share)
    kept = pa.concat_batches(runs)
    if is_all:  # also if a stream ends early
        return kept, kept.nbytes / max(1, captures.nbytes)
    loader = resolve(piece.row["loader"]).model_validate_json(piece.row["params"])
    read = sum(_span(run) or run.nbytes for run in runs)
    return kept, min(1.0, read / max(1, loader.content_bytes(piece.path)))


def _beginning(stream: Iterator[pa.RecordBatch], *, rows: int) -> tuple[pa.RecordBatch, bool]:
    """Return at least the first *rows* records of *stream*, and whether the stream ended with them."""
    captures: list[pa.RecordBatch] = []
    for batch in stream:
        captures.append(batch)
        if sum(b.num_rows for b in captures) >= rows or sum(b.nbytes for b in captures) >= _READ_BYTES:
            return pa.concat_batches(captures), False
    return pa.concat_batches(captures), True


def _runs(captures: pa.RecordBatch, share: float) -> list[pa.RecordBatch]:
    """Return a *share* of a sample from *captures*, as evenly spaced runs of neighboring records."""
    fitting = captures.num_rows * _BYTES * share / max(1, captures.nbytes)
    rows = max(1, int(min(_ROWS * share, fitting)))
    if captures.num_rows <= rows:
        return [captures]
    runs = min(_RUNS, rows)
    length = rows // runs
    last = captures.num_rows - length
    return [captures.slice(last * number // max(1, runs - 1), length) for number in range(runs)]


def _span(captures: pa.RecordBatch) -> int:
    """Return the bytes from the first record to the end of the last, in slice offsets; 0 if offsets are unknown."""
    places = captures.select(["offset", "length"]).to_pylist()
    if not places or places[-1]["offset"] is None or places[-1]["length"] is None:
        return 0
    return int(places[-1]["offset"] + places[-1]["length"] - (places[0]["offset"] or 0))


def _batches(reader: Value, row: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Yield the output of *reader* for *row*, or an empty batch if there is none."""
    is_empty = True
    for batch in reader.build()(iter([pa.RecordBatch.from_pylist([dict(row)])])):
        is_empty = False
        yield batch
    if is_empty:
        yield pa.RecordBatch.from_pylist([], schema=CAPTURE)
