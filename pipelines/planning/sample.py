"""A small sample of the raw files, read as the run reads them: what the estimate of the disk is made from.

The same files give the same sample: slices are taken evenly from all of a source, in the order of their hashes.
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
"""One in so many small files, or bytes of large ones, is read at most, so that a short run does not pay twice."""
_SLICES: Final = 12
"""Pieces of large files that are read, of all sources together."""
_PIECE_BYTES: Final = 2**18
"""What is read of each; more where not one record begins in it."""
_FILES: Final = 128
"""Small files that are read, of all sources together."""
_SMALL_FILE_BYTES: Final = 2**20
_ROWS: Final = 384
"""Records of the pieces of one source that are looked at."""
_BYTES: Final = 2 * 2**20
"""Their bytes, where records are large; at least one of each piece is looked at."""
_READ: Final = 8
"""One in so many records is looked at of what is read from its start, as a compressed file is."""
_READ_BYTES: Final = 4 * 2**20
"""No more is read of it where records are large."""
_RUNS: Final = 4
"""Runs of neighbors that these are."""


@dataclass(frozen=True)
class Stratum:
    """Rows ``[start, stop)`` of a sample, each of which stands for *weight* records."""

    start: int
    stop: int
    weight: float


@dataclass(frozen=True)
class Sample:
    """Records as the scan returns them.

    Args:
        strata: Of the rows of *batch*; none where no record was found.
        unread: The share of the raw files in which no record was looked for.
    """

    batch: pa.RecordBatch
    strata: tuple[Stratum, ...]
    unread: float


@dataclass(frozen=True)
class _Piece:
    """A slice of a raw file: the row that names it, and its share of the file's bytes on disk."""

    row: Mapping[str, Any]
    raw_bytes: float
    is_file: bool
    """Whether it is all of its file."""

    @property
    def path(self) -> str:
        return str(self.row["path"])

    @property
    def is_small(self) -> bool:
        """Whether it is a small file, which is read from its start."""
        return self.is_file and self.raw_bytes <= (_SMALL_FILE_BYTES if self.row["end"] < 0 else _PIECE_BYTES)


@dataclass(frozen=True)
class _Found:
    """Records of a piece, and how many of its raw bytes these are."""

    piece: _Piece
    captures: pa.RecordBatch
    raw_bytes: float


def read_sample(scan: Scan, tasks: Sequence[ScanTask], sizes: Mapping[str, int]) -> Sample:
    """Read a sample of what *tasks* of *scan* read.

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
        for found, weight in _weighted(pieces, read):
            stop = rows + sum(one.captures.num_rows for one in found)
            if stop > rows:
                strata.append(Stratum(rows, stop, weight))
                captures += [one.captures for one in found]
                rows = stop
    finished = list(Chain.of(*others).build()(bounded(captures))) or [pa.RecordBatch.from_pylist([], scan.schema)]
    return Sample(pa.concat_batches(finished), tuple(strata), max(0.0, unread / max(1, sum(sizes.values()))))


def _read_all(reader: Value, pieces: Sequence[_Piece], chosen: Sequence[_Piece]) -> list[_Found]:
    """Read *chosen* of *pieces*, and the first piece of a file in the chosen ones of which no record begins."""
    found = [_read(reader, piece, share=1 / len(chosen)) for piece in chosen]
    firsts = {piece.path: piece for piece in reversed(pieces)}
    missing = {piece.path for piece in chosen} - {one.piece.path for one in found if one.captures.num_rows}
    others = [firsts[path] for path in sorted(missing) if firsts[path] not in chosen]
    return found + [_read(reader, piece, share=1 / len(chosen)) for piece in others]


def _count(pieces: Sequence[_Piece], *, strata: int) -> int:
    """Return how many of *pieces*, one of several *strata*, are read."""
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
    """Return the functions of *scan*; one that reads the smallest ids alone reads all records here."""
    functions = scan.function.functions() if isinstance(scan.function, Chain) else [scan.function]
    return [function.unlimited() if isinstance(function, LimitedRead) else function for function in functions]


def _weighted(pieces: Sequence[_Piece], found: Sequence[_Found]) -> Iterator[tuple[list[_Found], float]]:
    """Yield what was *found* in some of *pieces*, with the number of records that each one stands for.

    Large files may be of different kinds, such as one with a single record, so each one stands for its own bytes, and
    all of them together for the files that were not read.
    """
    if resolve(pieces[0].row["loader"]).uses_name:  # a file is a document, whatever its size
        yield list(found), len(pieces) / len(found)
        return
    total = sum(piece.raw_bytes for piece in pieces)
    if pieces[0].is_small:
        yield list(found), total / max(1.0, sum(one.raw_bytes for one in found))
        return
    sizes: defaultdict[str, float] = defaultdict(float)
    for piece in pieces:
        sizes[piece.path] += piece.raw_bytes
    files: defaultdict[str, list[_Found]] = defaultdict(list)
    for one in found:
        if one.captures.num_rows:
            files[one.piece.path].append(one)
    share = total / max(1.0, sum(sizes[path] for path in files))
    for path, here in files.items():
        yield here, share * sizes[path] / max(1.0, sum(one.raw_bytes for one in here))


def _read(reader: Value, piece: _Piece, *, share: float) -> _Found:
    """Read records of *piece*, which may be a *share* of the sample of a source."""
    is_whole = piece.is_small or piece.row["end"] < 0
    captures, part = _from_start(reader, piece, share) if is_whole else _from_window(reader, piece, share)
    return _Found(piece, captures, piece.raw_bytes * part)


def _from_window(reader: Value, piece: _Piece, share: float) -> tuple[pa.RecordBatch, float]:
    """Read records that begin in a window of a slice; return them, and the part of the slice that they are.

    The last one may end far behind the slice.
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
    """Read the beginning of a slice; return some of its records, and the part of the slice that they are.

    How far a compressed file was read follows from the places of the records in the decompressed bytes. Records at its
    start may be of another kind than those behind them, so runs of neighbors are taken from all that was read.
    """
    captures, is_all = _beginning(_batches(reader, piece.row), rows=int(_READ * _ROWS * share))
    runs = _runs(captures, share)
    kept = pa.concat_batches(runs)
    if is_all:  # also where a stream breaks off, whatever the size of the file
        return kept, kept.nbytes / max(1, captures.nbytes)
    loader = resolve(piece.row["loader"]).model_validate_json(piece.row["params"])
    read = sum(_span(run) or run.nbytes for run in runs)
    return kept, min(1.0, read / max(1, loader.content_bytes(piece.path)))


def _beginning(stream: Iterator[pa.RecordBatch], *, rows: int) -> tuple[pa.RecordBatch, bool]:
    """Return the first *rows* records of *stream* or more, and whether it ended with them."""
    captures: list[pa.RecordBatch] = []
    for batch in stream:
        captures.append(batch)
        if sum(b.num_rows for b in captures) >= rows or sum(b.nbytes for b in captures) >= _READ_BYTES:
            return pa.concat_batches(captures), False
    return pa.concat_batches(captures), True


def _runs(captures: pa.RecordBatch, share: float) -> list[pa.RecordBatch]:
    """Return records of *captures*, as many as are a *share* of a sample, as evenly spaced runs of neighbors."""
    fitting = captures.num_rows * _BYTES * share / max(1, captures.nbytes)
    rows = max(1, int(min(_ROWS * share, fitting)))
    if captures.num_rows <= rows:
        return [captures]
    runs = min(_RUNS, rows)
    length = rows // runs
    last = captures.num_rows - length
    return [captures.slice(last * number // max(1, runs - 1), length) for number in range(runs)]


def _span(captures: pa.RecordBatch) -> int:
    """Return the bytes, in the units of slices, from the first record to the end of the last; 0 if they do not say."""
    places = captures.select(["offset", "length"]).to_pylist()
    if not places or places[-1]["offset"] is None or places[-1]["length"] is None:
        return 0
    return int(places[-1]["offset"] + places[-1]["length"] - (places[0]["offset"] or 0))


def _batches(reader: Value, row: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Yield what *reader* makes of *row*; an empty batch where that is nothing."""
    is_empty = True
    for batch in reader.build()(iter([pa.RecordBatch.from_pylist([dict(row)])])):
        is_empty = False
        yield batch
    if is_empty:
        yield pa.RecordBatch.from_pylist([], schema=CAPTURE)
