"""`manifest.json` of a version: the authoritative list of what was published. All indexes are built from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator

from corpusmill.schemas.crawl_statistics import CrawlStatistics
from corpusmill.schemas.document import type_name
from corpusmill.schemas.identity import canonical_json

FORMAT_VERSION: Final = 2
"""Incremented when programs that read the current format would misread the next one. In format 1 the column `metadata`
was a map; every command reads both formats."""
VERSION_ID_LENGTH: Final = 16
LARGE_GROUP_SHARE: Final = 0.5
"""Share of the documents above which a group of similar documents makes the split useless."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ShardFile(_Model):
    """One Parquet file of documents."""

    path: str = Field(description="Relative to the manifest.")
    split: str
    rows: int
    bytes: int = Field(description="Size of the file.")
    text_bytes: int = Field(description="UTF-8 bytes of all texts.")
    sha256: str
    logical_hash: str
    first_id: str | None
    last_id: str | None


class SideFile(_Model):
    """One Parquet file of the ledger, of signals, of origins, or of a side table that a stage published."""

    path: str
    kind: str = Field(description="ledger, signals, origin, or `<stage>.<table>`.")
    rows: int
    bytes: int
    sha256: str
    logical_hash: str

    @property
    def is_of_stage(self) -> bool:
        """Whether the file belongs to a side table that a stage published."""
        return self.kind not in ("ledger", "signals", "origin")


class StageCounts(_Model):
    """Counts of one stage.

    ``in + created = out + ledger`` in documents, and ``in + added = out + ledger + cut`` in bytes of text.
    """

    name: str
    documents_in: int
    created: int = 0
    documents_out: int
    ledger: int
    bytes_in: int
    bytes_added: int = 0
    bytes_out: int
    bytes_ledger: int
    bytes_cut: int = 0
    rules: dict[str, int] = Field(default_factory=dict, description="Rows of the ledger by rule.")

    @property
    def holds(self) -> bool:
        """Whether the counts add up, so that nothing was lost."""
        return (
            self.documents_in + self.created == self.documents_out + self.ledger
            and self.bytes_in + self.bytes_added == self.bytes_out + self.bytes_ledger + self.bytes_cut
            and self.ledger == sum(self.rules.values())
        )


class Counts(_Model):
    """Counts of the captures of a run: ``read + created = published + ledger``."""

    read: int
    created: int = Field(default=0, description="Rows that a stage made, such as a site's boilerplate in the ledger.")
    published: int
    ledger: int = Field(description="Rows of the ledger.")
    earlier: int = Field(
        default=0,
        description="Captures in the archives of recrawled sites that are not of their current pages: earlier ones, "
        "and those of pages that are gone. They are in the ledger, and `checks` leave them out.",
    )
    by_source: dict[str, dict[str, int]] = Field(default_factory=dict, description="read, published, ledger, created.")
    stages: tuple[StageCounts, ...] = ()


class StepCost(_Model):
    """The cost of a step when it was computed, in this run or an earlier one."""

    step: str
    cpu_s: float
    wall_s: float
    peak_mb: float
    bytes: int = Field(description="Size of its output.")


class InputFile(_Model):
    """A raw file that the version was built from."""

    path: str
    name: str
    size: int
    sha256: str


class RefusedPage(_Model):
    """A page that a crawl refused, or fetched in vain. Personal data is masked as in texts, and long values are cut."""

    url: str
    message: str | None = None
    referrer: str | None = Field(default=None, description="The page that led to it.")


class RefusedPages(_Model):
    """The pages of a crawl that one rule refused."""

    rule: str
    pages: int
    examples: tuple[RefusedPage, ...] = ()


class InputSource(_Model):
    """A source as it was when the version was built."""

    source: str
    kind: str
    format: str
    created_at: datetime
    license: str | None = None
    files: tuple[InputFile, ...]
    counts: dict[str, int] = Field(
        default_factory=dict,
        description="Counts of a crawl; `records.<kind>`: archive records that are not documents (requests, …); "
        "`ids.<how>`: how records are named (given, missing, unusable); `vectors.length.<n>`: records with a vector of "
        "n components; `vectors.<why>`: records without a vector (missing, not_numbers, zero, too_long).",
    )
    refused: tuple[RefusedPages, ...] = Field(default=(), description="Pages that a crawl refused, by rule.")
    crawl: CrawlStatistics | None = Field(
        default=None,
        description="Figures of a crawl by result, host, depth and rule, and over time; examples are in `refused`.",
    )


class SplitGroups(_Model):
    """Groups of similar documents, each in one split. Documents that are similar to no other are in no group."""

    similarity: float = Field(description="Least similarity of two similar documents.")
    pairs: int = Field(description="Pairs of similar documents by which groups are connected, each of them verified.")
    groups: int
    documents: int = Field(description="Documents in all groups.")
    largest: int = Field(description="Documents in the largest group.")


class KeptPair(_Model):
    """Two documents that a stage compared and kept. A later stage may have rejected one of them."""

    stage: str
    id: str
    other_id: str
    similarity: float = Field(description="Less than 0.1 below the threshold; six digits.")
    threshold: float


class VersionManifest(_Model):
    """The files of a version, its inputs, and how it was built."""

    format_version: int = FORMAT_VERSION
    dataset: str
    version: str
    parent: str | None
    created_at: datetime
    document_schema: list[dict[str, Any]] = Field(alias="schema", description="Name, type, nullable of each column.")
    files: tuple[ShardFile, ...]
    side_files: tuple[SideFile, ...]
    counts: Counts
    recipe: dict[str, Any]
    inputs: tuple[InputSource, ...]
    contents: dict[str, str] = Field(
        default_factory=dict,
        description="Files and versions that stages read: `<stage>.<input>` to the SHA-256 of a file or a version id.",
    )
    split_groups: SplitGroups | None = Field(
        default=None, description="Groups of similar documents; null if the recipe does not look for any."
    )
    kept_pairs: tuple[KeptPair, ...] = Field(
        default=(),
        description="For each stage that removes similar documents, a sample of the pairs just below its threshold.",
    )
    tools: dict[str, str] = Field(description="Versions of Python, corpusmill and the libraries that did the work.")
    cost: tuple[StepCost, ...]

    @field_validator("format_version")
    @classmethod
    def _is_known(cls, value: int) -> int:
        if not 1 <= value <= FORMAT_VERSION:
            raise ValueError(
                f"{value}, but this corpusmill reads formats up to {FORMAT_VERSION}: install a newer release"
            )
        return value

    def side_tables(self) -> dict[str, list[SideFile]]:
        """Return the files of each side table that a stage published, by table name (``<stage>.<table>``)."""
        tables: dict[str, list[SideFile]] = {}
        for side in sorted(self.side_files, key=lambda side: side.path):
            if side.is_of_stage:
                tables.setdefault(side.kind, []).append(side)
        return tables

    def json_text(self) -> str:
        """Return the text of the manifest file."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"


def schema_as_json(schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the columns of *schema* as JSON values.

    >>> schema_as_json(pa.schema([pa.field("id", pa.string(), nullable=False)]))
    [{'name': 'id', 'type': 'string', 'nullable': False}]
    """
    return [{"name": field.name, "type": type_name(field.type), "nullable": field.nullable} for field in schema]


def version_id(schema: pa.Schema, *, shards: Iterable[ShardFile], side_files: Iterable[SideFile]) -> str:
    """Return the id of the version with these files; equal data has an equal id on any machine.

    The id depends only on the contents of the files, not on times, costs, paths, the parent or the origin tables.
    """
    sides = list(side_files)
    content = [
        FORMAT_VERSION,
        schema_as_json(schema),
        [[shard.split, shard.rows, shard.logical_hash] for shard in sorted(shards, key=lambda shard: shard.path)],
        *(
            [side.logical_hash for side in sorted(sides, key=lambda side: side.path) if side.kind == kind]
            for kind in ("ledger", "signals")
        ),
    ]
    # Added only if there are any, so that versions without tables of stages keep their ids.
    published = [
        [side.kind, side.logical_hash] for side in sorted(sides, key=lambda side: side.path) if side.is_of_stage
    ]
    content += [published] if published else []
    return hashlib.sha256(canonical_json(content)).hexdigest()[:VERSION_ID_LENGTH]
