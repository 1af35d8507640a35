"""Keep one of all documents with the same URL, for example of pages that two sources have crawled."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.engines.base import ColumnFunction, Map, Step
from corpusmill.pipelines.stages.base import Copies, Documents, Stage
from corpusmill.pipelines.stages.dedup.equality import first_of_equal
from corpusmill.pipelines.stages.dedup.priority import KEEP_HELP, Keep, priority_columns
from corpusmill.pipelines.stages.identity import content_hashes
from corpusmill.pipelines.stages.verdicts import for_all_rows
from corpusmill.schemas.urls import canonical_url

RULE: Final = "url_dedup.duplicate"


class UrlDedup(Stage):
    """Keep one of all documents with the same URL, by default the newest.

    URLs are compared in their canonical form, without tracking parameters. Documents without a URL, or with one that is
    not a web address, are never duplicates. Texts are not compared.
    """

    removes_copies: ClassVar[Copies | None] = "url"
    card_line: ClassVar[str | None] = "keeps one of all documents with the same URL"

    keep: Keep = Field(default="newest", description=KEEP_HELP)

    def reads(self) -> tuple[str, ...]:
        """Return the columns by which documents are compared and ordered."""
        return ("url", *priority_columns(self.keep))

    def rules(self) -> tuple[str, ...]:
        """Return the only rule."""
        return (RULE,)

    def steps(self, name: str, documents: Documents) -> tuple[Step, ...]:
        """Return the steps: hash the URL of each document, decide, write the verdicts."""
        keyed, key = f"{name}.keys", f"{name}.key"
        hashing = Map(
            name=keyed,
            of=documents.state,
            function=UrlHash(into=key),
            reads=("url", "rule"),
            writes=pa.schema([pa.field(key, pa.string())]),
        )
        decisions = first_of_equal(name, documents, key=key, rule=RULE, keep=self.keep, keyed=keyed)
        return (hashing, *decisions)


class UrlHash(ColumnFunction):
    """Computes 128 bits of the hash of the canonical URL of living documents, in the column *into*; else null."""

    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `url`, `rule`."""

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            alive = pc.is_null(batch["rule"])
            return pa.record_batch({self.into: for_all_rows(url_hashes(batch["url"].filter(alive)), alive)})

        return run


def url_hashes(urls: pa.StringArray) -> pa.StringArray:
    """Return 128 bits of the hash of each URL's canonical form; null without a URL or if it is not a web address.

    >>> url_hashes(pa.array(["http://EXAMPLE.org", "http://example.org/#top", "a.md", None])).is_null().to_pylist()
    [False, False, True, True]
    """
    canonical = pa.array([None if url is None else _canonical(url) for url in urls.to_pylist()], pa.string())
    is_known = pc.is_valid(canonical)
    return for_all_rows(content_hashes(canonical.filter(is_known)), is_known)


def _canonical(url: str) -> str | None:
    try:
        return canonical_url(url)
    except ValueError:
        return None
