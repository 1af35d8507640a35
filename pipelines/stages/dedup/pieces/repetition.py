"""The stage `repetition_dedup`: lines and paragraphs that a document repeats stay once."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.stages.base import SideTable, Stage, Transform
from corpusmill.pipelines.stages.cuts import cut_table
from corpusmill.pipelines.stages.dedup.pieces.cutting import Chosen, cut_bytes, cut_chosen, with_texts
from corpusmill.pipelines.stages.dedup.pieces.keys import Pieces, pieces
from corpusmill.pipelines.stages.dedup.pieces.stage import MIN_CHARACTERS

KIND: Final = "repetition_dedup"
LINE: Final = "repetition_dedup.line"
"""Rule of the side table: the document has an equal line before."""
PARAGRAPH: Final = "repetition_dedup.paragraph"
"""Rule of the side table: the line is part of a paragraph that the document has before."""


class RepetitionDedup(Stage):
    """Cut lines and paragraphs that repeat an earlier one of the same document.

    Lines and paragraphs (text between empty lines) are compared ignoring case and white space. The first of equal ones
    stays, so no document becomes empty.

    The side table `repetition_dedup.cuts` has each line that was cut, in bytes of the UTF-8 text before the stage, with
    its rule: `repetition_dedup.paragraph` if its whole paragraph is repeated, else `repetition_dedup.line`. The signal
    `repetition_dedup.cut_bytes` is the number of bytes cut from each document.
    """

    card_line: ClassVar[str | None] = "cuts lines and paragraphs that repeat an earlier one of the same document"

    lines: bool = Field(default=True, description="Cut repeated lines.")
    paragraphs: bool = Field(default=True, description="Cut repeated paragraphs, with all their lines.")
    min_characters: int = Field(
        default=MIN_CHARACTERS,
        ge=1,
        description="Shorter lines and paragraphs are not compared: most headings have fewer than 60 characters.",
    )

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that this stage measures."""
        return (cut_bytes(KIND),)

    def notes(self) -> Mapping[str, str]:
        """Return how much was cut."""
        return {cut_bytes(KIND).name: "{value:,} bytes that the document repeats were cut"}

    def sides(self) -> Mapping[str, SideTable]:
        """Return the side table of the cuts."""
        return cut_table()

    def basis(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides how characters are folded."""
        return {**super().basis(), "unicode": unicodedata.unidata_version}

    def build(self) -> Transform:
        """Return the function."""
        return self._cut

    def _cut(self, living: pa.RecordBatch) -> pa.RecordBatch:
        changed = pc.is_valid(living["text"])
        texts = cut_chosen(living.filter(changed), self._chosen)
        return with_texts(living, changed, texts, signal=cut_bytes(KIND))

    def _chosen(self, part: pa.RecordBatch) -> Chosen:
        """Return the lines of *part* to cut."""
        lines = pieces(part["text"], "line", min_characters=self.min_characters)
        paragraphs = pieces(part["text"], "paragraph", min_characters=self.min_characters)
        in_paragraph = self.paragraphs & _of_repeated_paragraph(lines, paragraphs)
        is_cut = in_paragraph | (self.lines & lines.is_repeated())
        rules = np.where(in_paragraph[is_cut], PARAGRAPH, LINE)
        ids = part["id"].take(pa.array(lines.spans.rows[is_cut]))
        return Chosen(lines.spans, is_cut, pa.array(rules, pa.string()), ids)


def _of_repeated_paragraph(lines: Pieces, paragraphs: Pieces) -> Any:
    """Return which lines are part of a paragraph that repeats an earlier one."""
    if not len(lines.spans.rows):
        return np.zeros(0, np.bool_)
    place = np.searchsorted(paragraphs.spans.starts, lines.spans.starts, side="right") - 1
    return paragraphs.is_repeated()[place]
