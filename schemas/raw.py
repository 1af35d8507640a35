"""`raw/<source>/manifest.json`: the files of a source, and how they were crawled or loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from corpusmill.schemas.crawl_statistics import CrawlStatistics
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.storage import Store, located

RAW_FORMAT_VERSION = 1
PASSED_OVER = "passed_over."
"""Counts of files that lie in the folder of a source and are of no kind that its format reads, by suffix."""
SKIPPED_LINKS = "skipped_links"
"""Count of the links in the folder of a source that are not followed."""


class RawFile(BaseModel):
    """One file of records."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(description="Absolute for a file read in place; relative to the manifest if copied or crawled.")
    name: str = Field(description="POSIX path from the pattern's fixed prefix: the `source_id` of a one-document file.")
    size: int = Field(ge=0, description="Bytes.")
    sha256: str
    modified_ns: int | None = Field(
        default=None,
        description="Modification time in nanoseconds since 1970. A file with the same time and `size` is unchanged.",
    )

    responses: int | None = Field(
        default=None,
        ge=0,
        description="For a crawl: responses with a page or a file of the site (robots.txt, …). A file without any "
        "is not read. Null: unknown.",
    )
    mark: str | None = Field(
        default=None, description="On a store: a value that changes when the object is replaced, such as its ETag."
    )

    @property
    def is_in_place(self) -> bool:
        """Whether the file is outside the workspace, at the path that the recipe names."""
        return self.path.startswith("/")

    def stored(self, raw: Store) -> tuple[Store, str]:
        """Return the store and the key of the file; *raw* is the store of the source's manifest."""
        return located(self.path) if self.is_in_place else (raw, self.path)


class RawManifest(BaseModel):
    """The content of a source when it was crawled or loaded; written last, by rename."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: int = RAW_FORMAT_VERSION
    source: str
    kind: Literal["crawl", "load"]
    format: str = Field(description="Name of the loader that reads the files, as in `crawlers/registry.py`.")
    finished: bool = Field(description="False while a crawl can be resumed.")
    created_at: datetime = Field(description="When the source was registered, or its latest crawl was started.")
    definition: dict[str, Any] = Field(description="The source as defined in the recipe, with defaults filled in.")
    files: tuple[RawFile, ...]
    counts: dict[str, int] = Field(
        default_factory=dict,
        description="For a crawl: pages, and refused pages by rule. For a recrawl also: `revisits`, `new`, `changed`, "
        "`carried` (not asked for, or without an answer), `gone` and `lost` (in no archive any more) pages. For files: "
        "`records`, where known before reading, `passed_over.<suffix>`: files in the folder that the format does not "
        "read, and `skipped_links`: links in the folder that lead out of it, to a folder, or nowhere.",
    )
    ledger: tuple[str, ...] = Field(default=(), description="Files of refused pages, relative to the manifest.")
    partition_set: str | None = Field(
        default=None, description="For a crawl in partitions: the folder of its set, whose files are listed here."
    )
    statistics: CrawlStatistics | None = Field(
        default=None, description="For a finished crawl: figures by result, host, depth and rule, and over time."
    )
    generation: int = Field(default=0, ge=0, description="For a crawl: the number of recrawls.")
    pages: tuple[str, ...] = Field(
        default=(), description="Tables of the known pages, from which a recrawl starts, relative to the manifest."
    )
    gone: tuple[RawFile, ...] = Field(
        default=(), description="Tables of the pages that are gone, whose documents are not published."
    )


@dataclass(frozen=True)
class CrawlProgress:
    """How far a crawl is.

    Args:
        pages: Archived, those of a process that was killed included.
        queued: Addresses that wait.
        refused: Addresses that are not archived, by rule.
        bytes: Size of the bodies of all pages.
        waiting_hosts: Hosts with queued addresses.
    """

    pages: int
    queued: int
    refused: Mapping[str, int]
    bytes: int = 0
    waiting_hosts: int = 0

    @property
    def errors(self) -> int:
        """Addresses that failed: without a valid response, or with the status of an error."""
        return sum(count for rule, count in self.refused.items() if rule.startswith(("error.", "http.")))


def crawl_result(manifest: RawManifest) -> CrawlProgress:
    """Return what the finished crawl of *manifest* came to."""
    refused = {rule.removeprefix("refused."): n for rule, n in manifest.counts.items() if rule.startswith("refused.")}
    return CrawlProgress(manifest.counts["pages"], 0, refused, bytes=manifest.counts.get("bytes", 0))


def read_raw_manifest(raw: Store, *, source: str) -> RawManifest | None:
    """Return the manifest of *source* in the folder *raw*, or None if the source was never crawled or loaded.

    Raises:
        DamagedFileError: The manifest cannot be read.
    """
    key = "manifest.json"
    try:
        return RawManifest.model_validate_json(raw.read(key))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DamagedFileError(
            f"not a raw manifest: {place}: {first['msg']}",
            file=raw.address(key),
            hint=f"remove the file, then crawl or load the source `{source}` again",
        ) from error
