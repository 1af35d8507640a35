"""A small sample of the raw files, read as the run reads them: what the estimate of the disk is made from.

The same files give the same sample: slices are taken evenly from all of a source, in the order of their hashes.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Stratum:
    """Rows ``[start, stop)`` of a sample, each of which stands for *weight* records."""

    start: int
    stop: int
    weight: float


@dataclass(frozen=True)
class Sample:
    """Records as the scan returns them."""

    batch: pa.RecordBatch
    strata: tuple[Stratum, ...]


@dataclass(frozen=True)
class _Piece:
    """A slice of a raw file: the row that names it, and its share of the file's bytes on disk."""

    row: Mapping[str, Any]
    raw_bytes: float

    @property
    def stratum(self) -> tuple[str, bool]:
        """Pieces of one source that are read in the same way."""
        return self.row["source"], self.is_small

    @property
    def is_small(self) -> bool:
        """Whether it is read whole."""
        return self.raw_bytes <= (_SMALL_FILE_BYTES if self.row["end"] < 0 else _PIECE_BYTES)


def read_sample(scan: Scan, tasks: Sequence[ScanTask], sizes: Mapping[str, int]) -> Sample | None:
    """Read a sample of what *tasks* of *scan* read; None when there is no record in it.

    Args:
        sizes: Bytes of each raw file, by absolute path.
    """
    strata: dict[tuple[str, bool], list[_Piece]] = {}
    for piece in sorted(_pieces(tasks, sizes), key=lambda piece: (piece.row["sha256"], piece.row["start"])):
        strata.setdefault(piece.stratum, []).append(piece)
    reader, *others = _functions(scan)
    captures: list[pa.RecordBatch] = []
    found: list[Stratum] = []
    rows = 0
    for pieces in strata.values():
        chosen = _spread(pieces, _count(pieces, strata=len(strata)))
        read = [_read(reader, piece, rows=_ROWS // len(chosen)) for piece in chosen]
        stop = rows + sum(batch.num_rows for batch, _ in read)
        if stop > rows:
            found.append(Stratum(rows, stop, _weight(pieces, chosen, sum(size for _, size in read))))
            captures += [batch for batch, _ in read]
            rows = stop
    if not rows:
        return None
    finished = Chain.of(*others).build()(bounded(captures))
    return Sample(pa.concat_batches(list(finished)), tuple(found))


def _count(pieces: Sequence[_Piece], *, strata: int) -> int:
    """Return how many of *pieces*, one of several *strata*, are read."""
    if pieces[0].is_small:
        return max(8, min(_FILES // strata, len(pieces) // _SAMPLED))
    large = sum(piece.raw_bytes for piece in pieces) / _SAMPLED / _PIECE_BYTES
    return max(2, min(_SLICES // strata, int(large)))


def _pieces(tasks: Iterable[ScanTask], sizes: Mapping[str, int]) -> Iterator[_Piece]:
    rows = [row for task in tasks for row in task.rows]
    ends: dict[str, int] = {}
    for row in rows:
        ends[row["path"]] = max(ends.get(row["path"], 0), row["end"])
    for row in rows:
        size = float(sizes[row["path"]])
        is_cut = row["end"] >= 0 and ends[row["path"]]
        yield _Piece(row, size * (row["end"] - row["start"]) / ends[row["path"]] if is_cut else size)


def _spread(pieces: Sequence[_Piece], count: int) -> list[_Piece]:
    """Return *count* of *pieces*, evenly spaced."""
    if len(pieces) <= count:
        return list(pieces)
    return [pieces[(2 * index + 1) * len(pieces) // (2 * count)] for index in range(count)]


def _functions(scan: Scan) -> list[Value]:
    """Return the functions of *scan*; one that reads the smallest ids alone reads all records here."""
    functions = scan.function.functions() if isinstance(scan.function, Chain) else [scan.function]
    return [function.unlimited() if isinstance(function, LimitedRead) else function for function in functions]


def _weight(pieces: Sequence[_Piece], chosen: Sequence[_Piece], read_bytes: float) -> float:
    """Return how many records each one of *chosen* stands for, of which *read_bytes* of the raw files were read."""
    if resolve(pieces[0].row["loader"]).uses_name:  # a file is a document, whatever its size
        return len(pieces) / len(chosen)
    return sum(piece.raw_bytes for piece in pieces) / max(1.0, read_bytes)


def _read(reader: Value, piece: _Piece, *, rows: int) -> tuple[pa.RecordBatch, float]:
    """Return the first *rows* records of *piece*, and how many of its raw bytes these are."""
    is_whole = piece.is_small or piece.row["end"] < 0
    captures, share = _from_start(reader, piece, rows) if is_whole else _from_window(reader, piece, rows)
    return captures, piece.raw_bytes * min(1.0, share)


def _from_window(reader: Value, piece: _Piece, rows: int) -> tuple[pa.RecordBatch, float]:
    """Read the records that begin in a window of a slice; return them, and the share of the slice that they are."""
    start, end = piece.row["start"], piece.row["end"]
    width = min(_PIECE_BYTES, end - start)
    captures = _joined(reader, piece, end=start + width)
    while not captures.num_rows and width < end - start:
        width = min(4 * width, end - start)
        captures = _joined(reader, piece, end=start + width)
    kept = captures.slice(0, rows)
    read = _span(kept) or width * kept.num_rows / max(1, captures.num_rows)
    return kept, read / max(1, end - start)


def _joined(reader: Value, piece: _Piece, *, end: int) -> pa.RecordBatch:
    return pa.concat_batches(list(_batches(reader, {**piece.row, "end": end})))


def _from_start(reader: Value, piece: _Piece, rows: int) -> tuple[pa.RecordBatch, float]:
    """Read the first records of a slice; return them, and the share of it that they are.

    How far a compressed file was read is told by the place of the last record in the decompressed bytes.
    """
    stream = _batches(reader, piece.row)
    captures = next(stream)
    if captures.num_rows <= rows and next(stream, None) is None:
        return captures, 1.0
    kept = captures.slice(0, rows)
    loader = resolve(piece.row["loader"]).model_validate_json(piece.row["params"])
    return kept, (_span(kept) or kept.nbytes) / max(1, loader.content_bytes(piece.row["path"]))


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
