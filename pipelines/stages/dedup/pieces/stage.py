"""The stages `paragraph_dedup` and `line_dedup`: a piece of text stays in one of the documents that have it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import ClassVar, Final

import pyarrow as pa
from pydantic import Field

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Step
from corpusmill.pipelines.stages.apply import map_step
from corpusmill.pipelines.stages.base import Documents, SideTable, Stage
from corpusmill.pipelines.stages.cuts import cut_table
from corpusmill.pipelines.stages.dedup.pieces import cutting, sharing
from corpusmill.pipelines.stages.dedup.pieces.spans import Unit
from corpusmill.pipelines.stages.dedup.priority import Keep, priority_columns

MIN_CHARACTERS: Final = 60
"""Shorter pieces are mostly headings ("See also"), captions and parts of tables, which many documents share and need.
Of 8,295 headings in 284 Markdown files (documentation of this project and of Python packages), 97.5 % are shorter than
60 characters, and 82 % are shorter than 40."""
MAX_MAX_DOCUMENTS: Final = 100_000
"""Greatest `max_documents`. As many rows of a piece are held in memory until it is known whether there are more: 10 MB.
"""
KEEP_HELP: Final = (
    "Document to keep a piece: `oldest` or `newest` (by `fetched_at`; documents without it come last), `longest` "
    "(UTF-8 bytes of text), or `first_source` (the order of `sources:`). Among equals, the least `id` keeps it."
)


class _PieceDedup(Stage, ABC):
    """Parameters and steps that both stages share."""

    unit: ClassVar[Unit]

    min_characters: int = Field(
        default=MIN_CHARACTERS,
        ge=1,
        description="Shorter pieces always stay: most headings have fewer than 60 characters.",
    )
    keep: Keep = Field(default="oldest", description=KEEP_HELP)
    max_documents: int | None = Field(
        default=None,
        ge=1,
        le=MAX_MAX_DOCUMENTS,
        description="Pieces in more documents are boilerplate and are cut from all of them. Null: no bound.",
    )

    @property
    def kind(self) -> str:
        """The beginning of the names of rules and signal."""
        return f"{self.unit}_dedup"

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which pieces are compared and ordered.

        `content_hash` is not used, but a stage that reads it compares only one capture of each document.
        """
        return ("text", "content_hash", *priority_columns(self.keep))

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that this stage measures."""
        return (cutting.cut_bytes(self.kind),)

    def rules(self) -> tuple[str, ...]:
        """Return the rule by which documents are rejected."""
        return (cutting.nothing_left(self.kind),)

    def notes(self) -> Mapping[str, str]:
        """Return how much was cut."""
        return {
            cutting.cut_bytes(self.kind).name: f"{{value:,}} bytes of {self.unit}s that other documents have were cut"
        }

    def sides(self) -> Mapping[str, SideTable]:
        """Return the side table of the cuts."""
        return cut_table()

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps that hash pieces, decide which are cut, collect these per document, and cut them."""
        hashed, decided, placed = (f"{name}.{step}" for step in ("pieces", "decisions", "cuts"))
        added, shares = sharing.columns_schema(name), sharing.shares_schema(name)
        sources = documents.sources if self.keep == "first_source" else ()
        standings = sharing.Standings(stage=name, keep=self.keep, sources=sources)
        narrow = dict.fromkeys((f"{name}.{sharing.KEYS}", *priority_columns(self.keep), "id", PLACE))
        return (
            Map(
                name=hashed,
                of=documents.state,
                function=sharing.PieceColumns(stage=name, unit=self.unit, min_characters=self.min_characters),
                reads=("text", "rule"),
                writes=added,
            ),
            Exchange(
                name=decided,
                inputs=(Input(hashed, through=standings, columns=tuple(narrow)),),
                by="high",
                order=("low", "priority", "id", PLACE),
                function=sharing.Share(max_documents=self.max_documents),
                moved=sharing.STANDING,
                schema=sharing.SHARED,
            ),
            Exchange(
                name=placed,
                inputs=(Input(decided),),
                by=PLACE,
                order=("number",),
                function=sharing.Listed(stage=name),
                moved=sharing.SHARED,
                schema=shares,
                onto=hashed,
            ),
            map_step(
                name,
                cutting.CutShared(stage=name, kind=self.kind, unit=self.unit),
                Documents(placed, pa.schema([*documents.schema, *added, *shares.remove(0)])),
            ),
        )


class ParagraphDedup(_PieceDedup):
    """Keep each paragraph in one of the documents that have it, and cut it from the others.

    A paragraph is the text between two empty lines. Paragraphs are compared ignoring case and white space. Paragraphs
    that one document repeats are not compared with each other: see `repetition_dedup`.

    The side table `paragraph_dedup.cuts` has each span that was cut, in bytes of the UTF-8 text before the stage, with
    its rule: `paragraph_dedup.duplicate` (`first_id` is the document that keeps it), or `paragraph_dedup.boilerplate`
    (it is in more than `max_documents` documents, and none keeps it). The signal `paragraph_dedup.cut_bytes` is the
    number of bytes cut from each document. A document without any letter or digit left is rejected as
    `paragraph_dedup.nothing_left`; its spans are in the side table, too.
    """

    card_line: ClassVar[str | None] = "keeps each paragraph in one of the documents that have it"
    unit: ClassVar[Unit] = "paragraph"


class LineDedup(_PieceDedup):
    """Keep each line in one of the documents that have it, and cut it from the others.

    Lines are compared ignoring case and white space. Lines that one document repeats are not compared with each other:
    see `repetition_dedup`.

    The side table `line_dedup.cuts` has each span that was cut, in bytes of the UTF-8 text before the stage, with its
    rule: `line_dedup.duplicate` (`first_id` is the document that keeps it), or `line_dedup.boilerplate` (it is in more
    than `max_documents` documents, and none keeps it). The signal `line_dedup.cut_bytes` is the number of bytes cut
    from each document. A document without any letter or digit left is rejected as `line_dedup.nothing_left`; its spans
    are in the side table, too.
    """

    card_line: ClassVar[str | None] = "keeps each line in one of the documents that have it"
    unit: ClassVar[Unit] = "line"
