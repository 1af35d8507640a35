"""Mask the texts of evaluation sets in documents, and record each masked span as all stages that cut text do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, Counted, SideTable
from corpusmill.pipelines.stages.cuts import CUT, CUTS, MESSAGE, sample
from corpusmill.pipelines.stages.decontaminate.hits import RULE, described
from corpusmill.pipelines.stages.decontaminate.overlaps import Overlap

MASK: Final = "<EVALUATION>"
"""Replaces the words of evaluation texts."""
MASKED: Final = pa.schema([*CUT, MESSAGE, pa.field("file", pa.string(), nullable=False)])
"""A span that was masked. `message` names the evaluation text with the greatest coverage that is in the span, and
`file` its file."""
SIDE: Final = SideTable(
    MASKED,
    order=("start",),
    may_be_null=("first_id", "sample_text", "message"),
    is_published=True,
    samples=("sample_text",),
    counted=Counted("Masked evaluation texts", by="file", items=("id", "start"), noun="masked spans"),
)


class Piece(NamedTuple):
    """A masked span of a text in characters ``[start, end)``, its bytes of UTF-8, and the place of the first one."""

    start: int
    end: int
    data: bytes
    first_byte: int


def masked(batch: pa.RecordBatch, overlaps: Mapping[int, Overlap]) -> pa.RecordBatch:
    """Return *batch* with the words of evaluation texts masked, and its account of bytes; record the spans.

    Args:
        overlaps: What documents share with evaluation texts, by row, in order.
    """
    texts = batch["text"]
    added, cut = np.zeros(batch.num_rows, np.int64), np.zeros(batch.num_rows, np.int64)
    after: list[str] = []
    rows: list[dict[str, Any]] = []
    for row, shared in overlaps.items():
        pieces = list(pieces_of(shared.text, shared.masked))
        after.append(_without(shared.text, pieces))
        added[row] = len(pieces) * len(MASK)
        cut[row] = sum(len(piece.data) for piece in pieces)
        identity = batch["id"][row].as_py()
        rows += ({"id": identity, **columns} for columns in _recorded(shared, pieces))
    if rows:
        task().emit(CUTS, pa.RecordBatch.from_pylist(rows, MASKED))
    is_masked = np.isin(np.arange(batch.num_rows), list(overlaps))
    at = batch.schema.get_field_index("text")
    texts = pc.replace_with_mask(texts, pa.array(is_masked), pa.array(after, pa.string()))
    batch = batch.set_column(at, batch.schema.field(at), texts)
    return batch.append_column(TEXT_ADDED, pa.array(added)).append_column(TEXT_CUT, pa.array(cut))


def pieces_of(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    """Yield the *spans* of *text*, which are in characters and in order, with their bytes.

    >>> [(piece.data, piece.first_byte) for piece in pieces_of("té à b", [(0, 1), (5, 6)])]
    [(b't', 0), (b'b', 7)]
    """
    last = first_byte = 0
    for start, end in spans:
        first_byte += len(text[last:start].encode())
        data = text[start:end].encode()
        yield Piece(start, end, data, first_byte)
        first_byte, last = first_byte + len(data), end


def _without(text: str, pieces: Sequence[Piece]) -> str:
    """Return *text* with `MASK` in the place of each of *pieces*, which are in order."""
    parts, last = [], 0
    for piece in pieces:
        parts += [text[last : piece.start], MASK]
        last = piece.end
    return "".join([*parts, text[last:]])


def _recorded(shared: Overlap, pieces: Sequence[Piece]) -> Iterator[dict[str, Any]]:
    """Yield the columns of the side table, except for the id, for each of *pieces*."""
    for piece, texts in zip(pieces, _texts_in(shared, pieces), strict=True):
        entry = shared.index.entries[texts[0]]
        yield {
            "start": piece.first_byte,
            "end": piece.first_byte + len(piece.data),
            "rule": RULE,
            "sample_text": sample(piece.data),
            "message": described(entry, others=len(texts) - 1),
            "file": entry.file,
        }


def _texts_in(shared: Overlap, pieces: Sequence[Piece]) -> list[list[int]]:
    """Return the listed evaluation texts in each of *pieces*, by coverage. A listed span lies in one piece."""
    starts = [piece.start for piece in pieces]
    texts: list[list[int]] = [[] for _ in pieces]
    for listed in shared.listed():
        places = np.searchsorted(starts, [span.start for span in listed.spans], "right") - 1
        for place in np.unique(places).tolist():
            texts[place].append(listed.text)
    return texts
