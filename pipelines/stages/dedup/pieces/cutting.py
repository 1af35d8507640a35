"""Cut pieces from texts, and record each in the side table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.apply import text_bytes
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, SideTable, Stage, Transform, reject
from corpusmill.pipelines.stages.cuts import CUT, CUTS, cut_table, sample, without
from corpusmill.pipelines.stages.dedup.pieces.gaps import cut_with_gaps
from corpusmill.pipelines.stages.dedup.pieces.sharing import NUMBERS, SHARES
from corpusmill.pipelines.stages.dedup.pieces.spans import Spans, Texts, Unit, spans, with_plain_spaces

_WORD: Final = re.compile(r"[^\W_]")
_CUT_BYTES: Final = 4_000_000
"""UTF-8 bytes of text to cut at a time. The arrays of positions are several times as large."""


class Chosen(NamedTuple):
    """Pieces to cut from the texts of a batch (P pieces, C of them cut)."""

    spans: Spans
    is_cut: npt.NDArray[np.bool_]
    """Which pieces are cut, shape (P,)."""
    rules: pa.StringArray
    """Why, shape (C,)."""
    first_ids: pa.StringArray
    """The document that keeps the piece, shape (C,); null if none does."""


def cut_chosen(batch: pa.RecordBatch, choose: Callable[[pa.RecordBatch], Chosen]) -> pa.StringArray:
    """Return the texts of *batch* without the pieces that *choose* returns for parts of it, and record the pieces."""
    after = []
    for part in bounded([batch], max_bytes=_CUT_BYTES):
        texts = Texts.of(part["text"])
        chosen = choose(part)
        cut = cut_with_gaps(with_plain_spaces(texts), chosen.spans, chosen.is_cut)
        if len(cut.rows):
            task().emit(CUTS, _recorded(part["id"], texts, chosen, cut))
        at = texts.offsets[cut.rows]
        after.append(without(part["text"], rows=cut.rows, starts=cut.starts - at, ends=cut.ends - at))
    return pa.concat_arrays(after) if after else pa.array([], pa.string())


def _recorded(ids: pa.StringArray, texts: Texts, chosen: Chosen, cut: Spans) -> pa.RecordBatch:
    """Return the rows of the side table."""
    _, starts, ends = (values[chosen.is_cut].tolist() for values in chosen.spans)
    samples = [sample(texts.data[start:end].tobytes()) for start, end in zip(starts, ends, strict=True)]
    at = texts.offsets[cut.rows]
    columns = [ids.take(pa.array(cut.rows)), pa.array(cut.starts - at), pa.array(cut.ends - at)]
    return pa.RecordBatch.from_arrays(
        [*columns, chosen.rules, chosen.first_ids, pa.array(samples, pa.string())], schema=CUT
    )


def with_texts(
    living: pa.RecordBatch, changed: pa.BooleanArray, texts: pa.StringArray, *, signal: pa.Field
) -> pa.RecordBatch:
    """Return *living* with *texts* in the rows that are *changed*, and the number of bytes cut as the *signal*."""
    before = living["text"]
    after = pc.replace_with_mask(before, changed, texts)
    cut = pc.subtract(text_bytes(before), text_bytes(after))
    index = living.schema.get_field_index("text")
    result = living.set_column(index, living.schema.field(index), after).append_column(signal, cut)
    result = result.append_column(TEXT_ADDED, pa.array(np.zeros(living.num_rows, np.int64)))
    return result.append_column(TEXT_CUT, cut)


class CutShared(Stage):
    """Cuts the pieces that other documents keep, and boilerplate.

    Args:
        stage: The stage's name in the plan.
        kind: Name by which its rules and its signal begin.
        unit: What a piece is.
    """

    stage: str
    kind: str
    unit: Unit

    def reads(self) -> tuple[str, ...]:
        """Return the columns of the pieces and of those to cut."""
        return (f"{self.stage}.{NUMBERS}", f"{self.stage}.{SHARES}")

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal."""
        return (cut_bytes(self.kind),)

    def rules(self) -> tuple[str, ...]:
        """Return the rule by which documents are rejected."""
        return (nothing_left(self.kind),)

    def sides(self) -> Mapping[str, SideTable]:
        """Return the side table of the cuts."""
        return cut_table()

    def build(self) -> Transform:
        """Return the function."""
        return self._cut

    def _cut(self, living: pa.RecordBatch) -> pa.RecordBatch:
        has_shares = pc.is_valid(living[f"{self.stage}.{SHARES}"])
        affected = living.filter(has_shares)
        texts = cut_chosen(affected, self._chosen)
        has_words = pa.array([_WORD.search(text) is not None for text in texts.to_pylist()], pa.bool_())
        emptied = np.array(has_shares)
        emptied[emptied] = ~np.asarray(has_words)
        kept = pc.if_else(has_words, texts, affected["text"])
        result = with_texts(living, has_shares, kept, signal=cut_bytes(self.kind))
        return reject(result, emptied, rule=nothing_left(self.kind), value=0.0, threshold=1.0)

    def _chosen(self, part: pa.RecordBatch) -> Chosen:
        """Return the pieces of *part* whose number is in its list of shared ones."""
        every = spans(with_plain_spaces(Texts.of(part["text"])), self.unit)
        numbers = np.asarray(pc.list_flatten(part[f"{self.stage}.{NUMBERS}"]))
        shares = part[f"{self.stage}.{SHARES}"]
        shared, first_ids = pc.list_flatten(shares).flatten()
        width = int(numbers.max(initial=0)) + 1
        wanted = np.asarray(pc.list_parent_indices(shares)) * width + np.asarray(shared)
        piece = np.where(numbers < 0, -1, every.rows * width + numbers)
        place = np.minimum(np.searchsorted(wanted, piece), len(wanted) - 1)
        is_cut = wanted[place] == piece
        first_ids = first_ids.take(pa.array(place[is_cut]))
        rules = pc.if_else(pc.is_null(first_ids), f"{self.kind}.boilerplate", f"{self.kind}.duplicate")
        return Chosen(every, is_cut, rules, first_ids)


def nothing_left(kind: str) -> str:
    """Return the rule for documents whose pieces are all cut."""
    return f"{kind}.nothing_left"


def cut_bytes(kind: str) -> pa.Field:
    """Return the signal: UTF-8 bytes cut from the text."""
    return pa.field(f"{kind}.cut_bytes", pa.int64())
