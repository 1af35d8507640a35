"""Keep one of all documents with the same URL, for example of pages that two sources have crawled."""

from __future__ import annotations

from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from corpusmill.pipelines.engines.base import Step
from corpusmill.pipelines.stages.base import Copies, Documents, Stage
from corpusmill.pipelines.stages.dedup.equality import KeyOf, first_of_equal_keys
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
        return first_of_equal_keys(name, documents, keys=UrlHash, rule=RULE, keep=self.keep)


class UrlHash(KeyOf):
    """Computes `url_hashes`."""

    column: ClassVar[str] = "url"

    def keys(self, values: pa.StringArray) -> pa.StringArray:
        """Return the hash of each URL."""
        return url_hashes(values)


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
