"""The stage `substring_dedup`: cuts long stretches of text that occur earlier in the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import pyarrow as pa
from pydantic import Field

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Step
from corpusmill.pipelines.stages.apply import map_step
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.dedup.substrings import anchors, comparing, cutting, marking, winnowing
from corpusmill.pipelines.stages.dedup.substrings.anchors import ANCHORS

_LEVELS: Final = ("blocks", "parts", "windows")


class SubstringDedup(Stage):
    """Cut stretches of at least `min_bytes` UTF-8 bytes that also occur earlier.

    "Earlier" is earlier in the same document, or in an earlier one in the order (`fetched_at`, null last, then `id`).
    The first occurrence of a stretch is kept. Comparison is exact, byte by byte: no case or white space is ignored.
    (Lee et al. 2021, arXiv:2107.06499, call this ExactSubstr, and cut stretches of 50 tokens.)

    A *window* is a stretch of exactly `min_bytes` bytes. A character is cut if each of its bytes is in a window whose
    first occurrence, in the order of documents and then of bytes, is at another place. In text that repeats itself at
    once, windows overlap: of "spam spam spam …", one "spam " is left.

    Each stretch that is cut is a row of the published table `substring_dedup.cuts`, with the rule
    `substring_dedup.repeated`: `start` and `end` are UTF-8 bytes of the text before the stage, `first_id` is the
    document in which the stretch first occurs, `first_start` the byte at which it begins there, and `sample_text` its
    beginning. The signal `substring_dedup.cut_bytes` is the number of bytes cut from each document. A document of which
    only white space is left is rejected as `substring_dedup.nothing_left`; `value` is the number of bytes that occur
    earlier.
    """

    version: ClassVar[int] = 1
    card_line: ClassVar[str | None] = "cuts long stretches of text that also occur in an earlier document"

    min_bytes: int = Field(
        default=500, ge=8, le=winnowing.MAX_WINDOW_BYTES, description="UTF-8 bytes of the shortest stretch to cut."
    )

    def reads(self) -> tuple[str, ...]:
        """Return the columns that are compared and that order documents.

        `content_hash` is read so that only one capture of each document is compared.
        """
        return ("text", "fetched_at", "content_hash")

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that this stage measures."""
        return (cutting.CUT_BYTES,)

    def rules(self) -> tuple[str, ...]:
        """Return the only rule that rejects."""
        return (cutting.NOTHING_LEFT,)

    def notes(self) -> Mapping[str, str]:
        """Return how much was cut."""
        return {cutting.CUT_BYTES.name: "{value:,} bytes that occur earlier were cut"}

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps that choose anchors, compare blocks, parts and windows, and cut what occurs earlier.

        No text is moved: only hashes and places are exchanged, and what to cut is written back to the documents.
        """
        steps = _anchor_steps(name, documents.state, self.min_bytes)
        added = [*anchors.block_columns(name), *anchors.shared_column(name).remove(0)]
        decisions: list[str] = []
        column: str | None = None
        for level, size in zip(_LEVELS, comparing.sizes(self.min_bytes), strict=True):
            hashed = comparing.Hashed(stage=name, min_bytes=self.min_bytes, size=size, blocks=column)
            steps.append(_compare_step(f"{name}.{level}", hashed, of=steps[-1].name))
            decisions.append(steps[-1].name)
            if size > 1:
                column = f"{name}.divided_{level}"
                steps.append(_divide_step(column, decisions[-1], onto=steps[-2].name))
                added += marking.blocks_column(column).remove(0)
        steps.append(_repeats_step(f"{name}.marked", decisions, stage=name, onto=column or ""))
        schema = pa.schema([*documents.schema, *added, *marking.repeats_column(name).remove(0)])
        cut = cutting.CutStretches(stage=name, min_bytes=self.min_bytes)
        return (*steps, map_step(name, cut, Documents(steps[-1].name, schema)))


def _anchor_steps(name: str, of: str, min_bytes: int) -> list[Map | Exchange]:
    """Return the steps that choose anchors and write to each document those that it shares."""
    chosen, counted, shared = (f"{name}.{step}" for step in ("anchors", "shared", "candidates"))
    return [
        Map(
            name=chosen,
            of=of,
            function=anchors.FindBlocks(stage=name, min_bytes=min_bytes),
            reads=("text", "rule"),
            writes=anchors.block_columns(name),
        ),
        Exchange(
            name=counted,
            inputs=(Input(chosen, through=anchors.Anchors(stage=name), columns=(f"{name}.{ANCHORS}", PLACE)),),
            by="anchor",
            order=(PLACE,),
            function=anchors.Shared(),
            moved=anchors.ANCHOR,
            schema=anchors.ANCHOR,
        ),
        Exchange(
            name=shared,
            inputs=(Input(counted),),
            by=PLACE,
            order=("anchor",),
            function=anchors.Listed(stage=name),
            moved=anchors.ANCHOR,
            schema=anchors.shared_column(name),
            onto=chosen,
        ),
    ]


def _compare_step(name: str, hashed: comparing.Hashed, *, of: str) -> Exchange:
    """Return the step that decides about the blocks that *hashed* reads."""
    return Exchange(
        name=name,
        inputs=(Input(of, through=hashed, columns=hashed.reads()),),
        by="core",
        order=comparing.ORDER,
        function=comparing.Compare(is_last=hashed.size == 1),
        moved=comparing.COMPARED,
        schema=comparing.DECIDED,
    )


def _divide_step(name: str, decisions: str, *, onto: str) -> Exchange:
    """Return the step that writes to each document the blocks that must be divided, as the column *name*."""
    return Exchange(
        name=name,
        inputs=(Input(decisions, through=marking.Undecided()),),
        by=PLACE,
        order=("start",),
        function=marking.BlockLists(into=name),
        moved=marking.PLACED,
        schema=marking.blocks_column(name),
        onto=onto,
    )


def _repeats_step(name: str, decisions: Sequence[str], *, stage: str, onto: str) -> Exchange:
    """Return the step that writes to each document the windows that occur earlier."""
    return Exchange(
        name=name,
        inputs=tuple(Input(step, through=marking.Repeated()) for step in decisions),
        by=PLACE,
        order=("start",),
        function=marking.RepeatLists(stage=stage),
        moved=marking.REPEATED,
        schema=marking.repeats_column(stage),
        onto=onto,
    )
