"""What became of one document: in which versions it is, its whole way, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.created import created_rules
from corpusmill.pipelines.dataset.evidence import record, robots, source_evidence
from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.refused import ledger_batches
from corpusmill.pipelines.dataset.tables import open_tables
from corpusmill.pipelines.dataset.trail import REJECTED, trail
from corpusmill.pipelines.dataset.version import Version, dataset_store, datasets, id_range, version_in
from corpusmill.pipelines.stages.identity import LAW as IDENTITY
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.identity import ID_LENGTH, document_id
from corpusmill.schemas.urls import canonical_url

MIN_PREFIX: Final = 6
"""Characters of a document's id that may stand for the whole, where they are unique."""
PUBLISHED, UNKNOWN, ABSENT = "published", "unknown", "absent"
MAX_DUPLICATES: Final = 20
"""Removed copies of a document that are listed."""
_SHORT: Final = ("id", "title", "url", "source", "source_id")


@dataclass(frozen=True)
class Sighting:
    """What one version knows of one document: its row, or its rows in the ledger, or neither."""

    version: Version
    id: str
    is_current: bool

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The published document, without its text."""
        columns = [name for name in self.version.columns if name != "text"]
        rows = plain_rows(self.version.rows("shard", self.id, columns=columns))
        return rows[0] if rows else None

    @cached_property
    def ledger(self) -> list[dict[str, Any]]:
        """Its captures that were not published."""
        return plain_rows(self.version.rows("ledger", self.id))

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The row of the ledger that tells why it is not published: that of the capture that came furthest."""
        if self.document is not None or not self.ledger:
            return None
        places = {stage.name: place for place, stage in enumerate(self.version.manifest.counts.stages)}
        return max(
            self.ledger,
            key=lambda row: (row["stage"] != IDENTITY, places.get(row["stage"], -1), row["record_sha256"]),
        )

    @property
    def status(self) -> str:
        """Give ``published``, ``rejected`` or ``absent``."""
        return PUBLISHED if self.document is not None else REJECTED if self.ledger else ABSENT

    @property
    def row(self) -> dict[str, Any] | None:
        """The document, or its verdict."""
        return self.document or self.verdict

    def short(self) -> dict[str, Any]:
        """Give one line of the list of versions."""
        manifest = self.version.manifest
        return {
            "dataset": manifest.dataset,
            "version": manifest.version,
            "status": self.status,
            "rule": None if self.verdict is None else self.verdict["rule"],
            "split": None if self.document is None else self.document["split"],
            "current": self.is_current,
        }


def explain(given: str, workspace: Workspace, *, dataset: str | None = None) -> dict[str, Any]:
    """Tell what became of the document *given*: an id or its beginning, a URL, or its id in its source.

    All versions of the workspace are looked at, or those of *dataset*: `status` and `trail` are those of the first one
    that knows the document, current versions first, then newer ones before older ones. A page that a crawl refused is
    told from the ledger of the crawl.

    Raises:
        UsageError: Several documents have ids that begin so, or there is no such data set.
        DamagedFileError: A file is missing or unreadable.
    """
    versions = _versions(workspace, dataset)
    ids = _ids(given, workspace, [version for version, _ in versions])
    for document in ids:
        sightings = [Sighting(version, document, is_current) for version, is_current in versions]
        known = next((sighting for sighting in sightings if sighting.status != ABSENT), None)
        if known is not None:
            return {**_explained(known, sightings, workspace), "others": [other for other in ids if other != document]}
    return _refused(given, workspace) or _unknown(given)


def _versions(workspace: Workspace, dataset: str | None) -> list[tuple[Version, bool]]:
    """Give all versions, and whether each is the current one of its data set: these first, else newer ones first."""
    found = []
    for name in [dataset] if dataset is not None else datasets(workspace):
        store = dataset_store(workspace, name)
        entries = publications.publications(store)
        last = {entry["version"]: number for number, entry in enumerate(entries)}
        for version, number in last.items():
            place = (number == len(entries) - 1, entries[number]["at"], number)
            found.append((place, version_in(store.below(version))))
    found.sort(key=lambda item: (item[0], item[1].name), reverse=True)
    return [(version, place[0]) for place, version in found]


# -- which document is meant


def _ids(given: str, workspace: Workspace, versions: list[Version]) -> list[str]:
    """Give the ids that *given* may mean, published ones first where several documents have the URL."""
    if re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},{ID_LENGTH}}}", given):
        return [given] if len(given) == ID_LENGTH else _completed(given, versions)
    names = _spellings(given)
    made = [document_id(source, name) for source in _sources(workspace, versions) for name in names]
    known = [identity for identity in made if any(_knows(version, identity) for version in versions)]
    return known or _with_address(names, versions)


def _spellings(given: str) -> list[str]:
    """Give *given*, and its canonical form where it is a URL."""
    try:
        return list(dict.fromkeys([canonical_url(given), given]))
    except ValueError:
        return [given]


def _sources(workspace: Workspace, versions: list[Version]) -> list[str]:
    return sorted(
        {*workspace.sources(), *(source.source for version in versions for source in version.manifest.inputs)}
    )


def _knows(version: Version, identity: str) -> bool:
    return any(version.rows(kind, identity, columns=["id"]).num_rows for kind in ("shard", "ledger"))


def _completed(beginning: str, versions: list[Version]) -> list[str]:
    """Give the id that begins so, if any.

    Raises:
        UsageError: There are several.
    """
    low, high = id_range(beginning)
    found: set[str] = set()
    for version in versions:
        for kind in ("shard", "ledger"):
            table = version.rows(kind, low, high, columns=["id"])
            found.update(table["id"].to_pylist() if table.num_columns else ())
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} documents have an id that begins with {beginning}", hint=", ".join(sorted(found)[:5])
        )
    return sorted(found)


def _with_address(names: list[str], versions: list[Version]) -> list[str]:
    """Give the ids of the documents that were fetched from, or are called, one of *names*; reads two columns of all."""
    for version in versions:
        try:
            with open_tables({"shards": (version, "shard"), "rejected": (version, "ledger")}) as connection:
                found = connection.execute(
                    """
                    SELECT id, min(rejected) FROM (
                        SELECT id, url, source_id, false AS rejected FROM shards
                        UNION ALL SELECT id, url, source_id, true FROM rejected WHERE NOT list_contains($created, rule)
                    ) WHERE list_contains($names, url) OR list_contains($names, source_id) GROUP BY id ORDER BY 2, 1
                    """,
                    {"names": names, "created": created_rules(version)},
                ).fetchall()
        except duckdb.Error as error:
            raise DamagedFileError(f"the version cannot be read: {error}", file=version.address) from error
        if found:
            return [identity for identity, _ in found]
    return []


# -- what is reported


def _explained(known: Sighting, sightings: list[Sighting], workspace: Workspace) -> dict[str, Any]:
    row = known.row
    assert row is not None, "the version knows the document"
    verdict = known.verdict
    kept = None if verdict is None else verdict["duplicate_of"]
    return {
        "id": known.id,
        "url": row["url"],
        "title": row.get("title"),
        "status": known.status,
        "version": known.version.name,
        "path": known.version.address,
        "versions": [sighting.short() for sighting in sightings if sighting.status != ABSENT],
        "trail": trail(known.version, document=known.document, verdict=verdict),
        "duplicate_of": kept,
        "duplicate": None if kept is None else _short(known.version, kept),
        "duplicates": _duplicates(known) if verdict is None else [],
        "source": source_evidence(known.version, workspace, row),
        "refused": _refused_now(workspace, row),
        "captures": _captures(known),
        "document": known.document,
        "sample_text": None if verdict is None else verdict["sample_text"],
    }


def _short(version: Version, document: str) -> dict[str, Any] | None:
    rows = version.rows("shard", document, columns=list(_SHORT)).to_pylist()
    return rows[0] if rows else None


def _duplicates(known: Sighting) -> list[dict[str, Any]]:
    """Give the documents that were removed because they are copies of this one."""
    with open_tables({"rejected": (known.version, "ledger")}) as connection:
        found = connection.sql(
            "SELECT id, url, source, source_id, rule, value FROM rejected WHERE duplicate_of = $document"
            f" ORDER BY id LIMIT {MAX_DUPLICATES}",
            params={"document": known.id},
        ).to_arrow_table()
    return plain_rows(found)


def _captures(known: Sighting) -> list[dict[str, Any]]:
    """Give the other captures of the document, and what was decided on each."""
    verdict = known.verdict
    names = ("record_sha256", "url", "stage", "rule", "value", "threshold")
    return [
        {**{name: row[name] for name in names}, **record(known.version, known.id, row["record_sha256"])}
        for row in known.ledger
        if row is not verdict
    ]


def _refused(given: str, workspace: Workspace) -> dict[str, Any] | None:
    """Tell of a page that a crawl did not fetch, or fetched in vain; None when no crawl met it."""
    by_id = re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},{ID_LENGTH}}}", given) is not None
    spellings = set(_spellings(given))
    for source, row in _refused_pages(workspace, None if by_id else spellings):
        canonical = _spellings(row["url"])[0]
        identity = document_id(source, canonical)
        if identity.startswith(given) if by_id else {row["url"], canonical} & spellings:
            return _refused_page(workspace, identity, source, row)
    return None


def _refused_now(workspace: Workspace, row: dict[str, Any]) -> dict[str, Any] | None:
    """Give the row of the last crawl's ledger for a document that was fetched before; None when it is not there."""
    urls = {row["url"], row["source_id"]} - {None}
    return next((page for source, page in _refused_pages(workspace, urls) if source == row["source"]), None)


def _refused_pages(workspace: Workspace, urls: set[str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    wanted = pa.array(sorted(urls or ()), pa.string())
    for source in workspace.sources():
        manifest = workspace.raw_manifest(source)
        for batch in ledger_batches(workspace.raw(source), manifest) if manifest is not None else ():
            rows = batch if urls is None else batch.filter(pc.is_in(batch["url"], value_set=wanted))
            yield from ((source, row) for row in plain_rows(pa.Table.from_batches([rows])))


def _refused_page(workspace: Workspace, identity: str, source: str, row: dict[str, Any]) -> dict[str, Any]:
    step = {"stage": row["stage"], "rule": row["rule"], "value": None, "threshold": None, "verdict": REJECTED}
    return {
        **_unknown(identity),
        "id": identity,
        "url": row["url"],
        "status": REJECTED,
        "trail": [{**step, "message": row["message"]}],
        "source": {
            "name": source,
            "kind": "crawl",
            **{name: row[name] for name in ("referrer", "depth", "at")},
            "robots": robots(workspace, source, row["url"]),
        },
    }


def _unknown(given: str) -> dict[str, Any]:
    is_id = re.fullmatch(rf"[0-9a-f]{{{ID_LENGTH}}}", given) is not None
    return {
        "id": given if is_id else None,
        "url": given if "://" in given else None,
        "status": UNKNOWN,
        "versions": [],
        "trail": [],
        "duplicate_of": None,
        "source": {},
    }
