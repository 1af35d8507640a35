"""The stage `site_boilerplate`: cuts text that is on most pages of a site from all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map, Step
from corpusmill.pipelines.stages.apply import map_step
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.site_boilerplate import counting, cutting, pages


class SiteBoilerplate(Stage):
    """Cut text that is on most pages of a site from every page of the site.

    The stage compares paragraphs (text between empty lines) and list items, ignoring case and white space. A site is
    the host of the `url`, without a leading ``www.``. Documents without a URL pass unchanged. A page is the latest
    capture of a document, and pages with equal texts count as one.

    Each piece that is cut is recorded once in the ledger, as `site_boilerplate.template`: `sample_text` is the piece,
    `value` is the share of the site's pages that contain it, `message` has the number of pages and the host, and `url`
    is one of the pages. The signal `site_boilerplate.cut_bytes` is the number of bytes cut from each document.
    Documents that consist only of such pieces are rejected as `site_boilerplate.nothing_left`.
    """

    version: ClassVar[int] = 2
    card_line: ClassVar[str | None] = "cuts text that is on most pages of a site; each piece is recorded in the ledger"

    share: float = Field(default=0.5, gt=0, le=1, description="Pieces on at least this share of the pages are cut.")
    min_pages: int = Field(default=5, ge=2, description="Pieces on at least this many pages are cut.")
    min_characters: int = Field(
        default=1, ge=1, description="Shorter pieces are kept: 30 keeps most headings that pages share."
    )

    def reads(self) -> tuple[str, ...]:
        """Return the columns that identify a page and its pieces."""
        return ("url", "text", "fetched_at")

    def changes(self) -> tuple[str, ...]:
        """Return the text column."""
        return ("text",)

    def adds(self) -> tuple[pa.Field, ...]:
        """Return the signal that this stage measures."""
        return (cutting.CUT_BYTES,)

    def rules(self) -> tuple[str, ...]:
        """Return both rules."""
        return (cutting.NOTHING_LEFT, cutting.TEMPLATE)

    def notes(self) -> Mapping[str, str]:
        """Return how much was cut."""
        return {cutting.CUT_BYTES.name: "{value:,} bytes of its site's template were cut"}

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps that collect pages, count pieces, choose templates, match documents and cut pieces.

        No text is moved: only numbers are exchanged, and the keys to cut are written back to the documents.
        """
        columns, latest, counted, template, cuts, placed = (
            f"{name}.{step}" for step in ("columns", "pages", "pieces", "template", "cuts", "placed")
        )
        made = pages.named(name)
        added = pa.schema([field.with_name(made[field.name]) for field in pages.PAGE_COLUMNS])
        page = ("id", "record_sha256", "fetched_at", made["text_hash"], made["host"], made["counted"])
        narrow = ("id", "fetched_at", made["host"], made["text_hash"], made["keys"], PLACE)
        cut = cutting.cuts_schema(name)
        schema = pa.schema([*documents.schema, *added, *cut.remove(0)])
        return (
            Map(
                name=columns,
                of=documents.state,
                function=pages.PageColumns(stage=name, min_characters=self.min_characters),
                reads=("url", "text", "rule"),
                writes=added,
            ),
            Exchange(
                name=latest,
                inputs=(Input(columns, through=pages.Pages(stage=name), columns=page),),
                by="id",
                order=("captured", "record_sha256", "text_hash", "host"),
                function=pages.Latest(),
                moved=pages.PAGE,
                schema=pages.PAGE,
            ),
            Exchange(
                name=counted,
                inputs=(Input(latest, through=counting.Standings()),),
                by="place",
                order=("host", "text_hash", "id"),
                function=counting.Count(min_pages=self.min_pages),
                moved=counting.STANDING,
                schema=counting.COUNTED,
            ),
            Exchange(
                name=template,
                inputs=(Input(counted),),
                by="host",
                order=("role", "piece"),
                function=counting.Choose(share=self.share),
                moved=counting.COUNTED,
                schema=counting.TEMPLATE,
            ),
            Exchange(
                name=cuts,
                inputs=(
                    Input(columns, through=cutting.DocumentRows(stage=name), columns=narrow),
                    Input(template, through=cutting.TemplateRows()),
                ),
                by=cutting.BY,
                order=cutting.ORDER,
                function=cutting.Match(stage=name),
                moved=cutting.MOVED,
                schema=cut,
            ),
            Exchange(
                name=placed,
                inputs=(Input(cuts),),
                by=PLACE,
                order=(),
                function=cutting.Pass(),
                moved=cut,
                schema=cut,
                onto=columns,
            ),
            map_step(name, cutting.CutPieces(stage=name, share=self.share), Documents(placed, schema)),
        )
