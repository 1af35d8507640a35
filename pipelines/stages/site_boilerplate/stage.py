"""The stage `site_boilerplate`: what stands on most pages of a site is cut from all of them."""

from __future__ import annotations

from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from corpusmill.pipelines.engines.base import Exchange, Input, Step
from corpusmill.pipelines.stages.base import LearnStage
from corpusmill.pipelines.stages.site_boilerplate import counting, cutting, pages


class SiteBoilerplate(LearnStage):
    """Cut what stands on most pages of a site from the text of every page.

    What is compared are paragraphs (what stands between empty lines) and items of lists, without regard to case and
    white space. A site is the host of the `url` (``www.`` makes no difference); documents without one pass unchanged. A
    page is a document as its latest capture says it, and pages with equal texts count as one.

    Each piece that is cut is told once in the ledger, as `site_boilerplate.template`: `sample_text` is the piece,
    `value` the share of the site's pages on which it stands, `message` says how many of which host, `url` is one of
    them. The signal `site_boilerplate.cut_bytes` tells what each document lost. Rejects as
    `site_boilerplate.nothing_left` documents that consist of such pieces.
    """

    version: ClassVar[int] = 1

    share: float = Field(default=0.5, gt=0, le=1, description="Least share of a site's pages on which a piece stands.")
    min_pages: int = Field(default=5, ge=2, description="Least number of pages on which it stands.")
    min_characters: int = Field(
        default=1, ge=1, description="Shorter pieces stay: 30 spares most headings that pages have in common."
    )

    def adds(self) -> tuple[pa.Field, ...]:
        """Give the signal that this stage measures."""
        return (cutting.CUT_BYTES,)

    def steps(self, name: str, *, documents: str, schema: pa.Schema) -> tuple[Step, ...]:
        """Give four exchanges: pages by document, pieces by site and piece, pieces by site, documents by site."""
        latest, counted, template = (f"{name}.{part}" for part in ("pages", "pieces", "template"))
        read = pages.Pages(min_characters=self.min_characters)
        return (
            Exchange(
                name=latest,
                inputs=(Input(documents, through=read, columns=pages.PAGE_COLUMNS),),
                by="id",
                order=("captured", "record_sha256", "text_hash", "host"),
                function=pages.Latest(),
                moved=pages.PAGE,
                schema=pages.PAGE,
                stage=name,
            ),
            Exchange(
                name=counted,
                inputs=(Input(latest, through=counting.Standings()),),
                by="place",
                order=("host", "text_hash", "id"),
                function=counting.Count(min_pages=self.min_pages),
                moved=counting.STANDING,
                schema=counting.COUNTED,
                stage=name,
            ),
            Exchange(
                name=template,
                inputs=(Input(counted),),
                by="host",
                order=("role", "piece"),
                function=counting.Choose(share=self.share),
                moved=counting.COUNTED,
                schema=counting.TEMPLATE,
                stage=name,
            ),
            Exchange(
                name=name,
                inputs=(
                    Input(documents, through=cutting.DocumentRows()),
                    Input(template, through=cutting.TemplateRows()),
                ),
                by=cutting.BY,
                order=cutting.ORDER,
                function=cutting.Cut.of(name, self),
                moved=cutting.moved_schema(schema),
                schema=pa.schema([*schema, *self.adds()]),
                stage=name,
            ),
        )
