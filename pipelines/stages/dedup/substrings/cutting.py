"""Cut repeated stretches from the text of each document, and record where the first occurrence of each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.stages.apply import text_bytes
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, SideTable, Stage, Transform, reject
from corpusmill.pipelines.stages.cuts import CUT, CUTS, cut_table, sample
from corpusmill.pipelines.stages.dedup.substrings.anchors import PERIODS
from corpusmill.pipelines.stages.dedup.substrings.marking import REPEATS

REPEATED: Final = "substring_dedup.repeated"
"""Rule of the rows of the side table."""
NOTHING_LEFT: Final = "substring_dedup.nothing_left"
"""Apart from white space, all of the document's text occurs earlier."""
CUT_BYTES: Final = pa.field("substring_dedup.cut_bytes", pa.int64())
"""UTF-8 bytes cut from the text."""
SUBSTRING: Final = pa.schema([*CUT, pa.field("first_start", pa.int64(), nullable=False)])
"""A stretch that was cut. It first occurs in the document `first_id`. The byte of that document's text (before the
stage) that corresponds to `start` is `first_start`."""


class Stretch(NamedTuple):
    """Bytes ``[start, end)`` of a text that are cut, and where they first occur, as in `SUBSTRING`."""

    start: int
    end: int
    first_id: str
    first_start: int


class CutStretches(Stage):
    """Cuts the windows in the columns `REPEATS` and `PERIODS` from each document.

    Args:
        stage: Name of the stage in the recipe.
        min_bytes: Length of a window.
    """

    version: ClassVar[int] = 1

    stage: str
    min_bytes: int

    def reads(self) -> tuple[str, ...]:
        """Return the columns that say what to cut."""
        return (f"{self.stage}.{REPEATS}", f"{self.stage}.{PERIODS}")

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that is measured."""
        return (CUT_BYTES,)

    def rules(self) -> tuple[str, ...]:
        """Return the only rule that rejects."""
        return (NOTHING_LEFT,)

    def sides(self) -> dict[str, SideTable]:
        """Return the side table of stretches that were cut."""
        return {CUTS: replace(cut_table()[CUTS], schema=SUBSTRING)}

    def build(self) -> Transform:
        """Return the function."""
        return self._cut

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        shorter: dict[int, str] = {}
        rows: list[dict[str, Any]] = []
        for row in _affected(batch, self.reads()):
            text = batch["text"][row].as_py().encode()
            cuts = self._stretches(batch.slice(row, 1), text)
            shorter[row] = without(text, cuts).decode()
            rows += ({"id": batch["id"][row].as_py(), **_shown(cut, text)} for cut in cuts)
        if rows:
            task().emit(CUTS, pa.RecordBatch.from_pylist(rows, schema=SUBSTRING))
        return _shortened(batch, shorter)

    def _stretches(self, document: pa.RecordBatch, text: bytes) -> list[Stretch]:
        identity = document["id"][0].as_py()
        repeats, periods = (document[name][0].as_py() or [] for name in self.reads())
        return stretches(text, windows(identity, repeats, periods), min_bytes=self.min_bytes)


def _affected(batch: pa.RecordBatch, columns: Sequence[str]) -> list[int]:
    """Return the rows with a value in one of *columns*."""
    is_valid = [np.asarray(pc.is_valid(batch[name])) for name in columns]
    rows: list[int] = np.flatnonzero(np.logical_or.reduce(is_valid)).tolist()
    return rows


class Windows(NamedTuple):
    """Consecutive windows ``[start, end)`` of a document that occur earlier. `first_start` belongs to `start`."""

    start: int
    end: int
    first_id: str
    first_start: int


def windows(identity: str, repeats: Sequence[dict[str, Any]], periods: Sequence[dict[str, int]]) -> list[Windows]:
    """Return the windows of the document *identity* that occur earlier, in order, joined if they follow one another.

    Periodic windows have the same first document as the window before them. Without one, it is their own document.
    """
    runs = [
        Windows(one["start"], one["start"] + one["windows"], one["first_id"], one["first_start"]) for one in repeats
    ]
    own = [Windows(one["start"], one["start"] + one["windows"], "", one["start"] - one["period"]) for one in periods]
    result: list[Windows] = []
    for run in sorted([*runs, *own]):
        last = result[-1] if result else None
        follows = last is not None and run.start == last.end
        if last is not None and follows and run.first_id in ("", last.first_id):
            result[-1] = last._replace(end=run.end)
        else:
            result.append(run._replace(first_id=run.first_id or identity))
    return result


def stretches(text: bytes, runs: Sequence[Windows], *, min_bytes: int) -> list[Stretch]:
    """Return the stretches that the windows *runs* (in order, each *min_bytes* long) cut from *text*.

    A stretch begins and ends between two characters: a character is cut if all its bytes are in windows. Where windows
    with different first documents overlap, the second stretch begins where the first one ends.
    """
    result: list[Stretch] = []
    reached = 0
    for run in runs:
        touches = bool(result) and run.start <= reached
        start = character_start(text, reached if touches else run.start, step=1)
        if start >= run.start + min_bytes:  # past the window whose first occurrence is known
            start = character_start(text, reached, step=-1)
        reached = run.end - 1 + min_bytes
        end = character_start(text, reached, step=-1)
        if touches:
            result[-1] = result[-1]._replace(end=min(start, end))
        if start < end:
            result.append(Stretch(start, end, run.first_id, run.first_start + start - run.start))
    return result


def character_start(text: bytes, place: int, *, step: int) -> int:
    """Return *place*, or the nearest byte after it (*step* 1) or before it (-1) at which a character begins.

    >>> text = "aé".encode()
    >>> character_start(text, 2, step=1), character_start(text, 2, step=-1), character_start(text, 1, step=1)
    (3, 1, 1)
    """
    while place < len(text) and text[place] & 0xC0 == 0x80:
        place += step
    return place


def without(text: bytes, cuts: Sequence[Stretch]) -> bytes:
    """Return *text* without *cuts*, which are in order and do not overlap."""
    ends = [0, *(cut.end for cut in cuts)]
    starts = [*(cut.start for cut in cuts), len(text)]
    return b"".join(text[end:start] for end, start in zip(ends, starts, strict=True))


def _shown(cut: Stretch, text: bytes) -> dict[str, Any]:
    return {**cut._asdict(), "rule": REPEATED, "sample_text": sample(text[cut.start : cut.end])}


def _shortened(batch: pa.RecordBatch, shorter: dict[int, str]) -> pa.RecordBatch:
    """Return *batch* with the texts in *shorter*, by row. Documents of which only white space is left are rejected."""
    before = batch["text"]
    changed = np.zeros(batch.num_rows, np.bool_)
    emptied = changed.copy()
    changed[list(shorter)] = True
    emptied[[row for row, text in shorter.items() if not text.strip()]] = True
    after = before
    if shorter:
        texts = pa.array([shorter.get(row) for row in range(batch.num_rows)], pa.string())
        after = pc.if_else(pa.array(changed), texts, before)
    cut = pc.subtract(text_bytes(before), text_bytes(after))
    index = batch.schema.get_field_index("text")
    kept = pc.if_else(pa.array(emptied), before, after) if emptied.any() else after
    result = batch.set_column(index, batch.schema.field(index), kept)
    result = result.append_column(CUT_BYTES, cut)
    result = result.append_column(TEXT_ADDED, pa.array(np.zeros(batch.num_rows, np.int64)))
    result = result.append_column(TEXT_CUT, pc.if_else(pa.array(emptied), 0, cut))
    return reject(result, emptied, rule=NOTHING_LEFT, value=cut.cast(pa.float64()))
