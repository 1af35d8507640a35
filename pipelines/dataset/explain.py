"""Explain one document: the versions that hold it, its path through the stages, and its origin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import duckdb

from corpusmill.pipelines.dataset import publications
from corpusmill.pipelines.dataset.crawled import MIN_PREFIX, crawled, refused_now, spellings, unknown
from corpusmill.pipelines.dataset.created import created_rules
from corpusmill.pipelines.dataset.cut import cut_spans
from corpusmill.pipelines.dataset.evidence import record, source_evidence
from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.recorded import recorded_sides
from corpusmill.pipelines.dataset.tables import open_tables
from corpusmill.pipelines.dataset.trail import REJECTED, trail
from corpusmill.pipelines.dataset.version import Version, dataset_store, datasets, id_range, version_in
from corpusmill.pipelines.stages.identity import LAW as IDENTITY
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import DamagedFileError, UsageError
from corpusmill.schemas.identity import ID_LENGTH, document_id

PUBLISHED, ABSENT = "published", "absent"
MAX_DUPLICATES: Final = 20
"""Removed copies of a document that are listed at most."""
MAX_ROWS: Final = 20
"""Rows of a side table that are listed at most."""
_SHORT: Final = ("id", "title", "url", "source", "source_id")


@dataclass(frozen=True)
class Sighting:
    """One document in one version: its row, or its rows in the ledger, or neither."""

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
        """The ledger row that explains the rejection: that of the capture that passed the most stages."""
        if self.document is not None or not self.ledger:
            return None
        places = {stage.name: place for place, stage in enumerate(self.version.manifest.counts.stages)}
        return max(
            self.ledger,
            key=lambda row: (row["stage"] != IDENTITY, places.get(row["stage"], -1), row["record_sha256"]),
        )

    @property
    def status(self) -> str:
        """Return ``published``, ``rejected`` or ``absent``."""
        return PUBLISHED if self.document is not None else REJECTED if self.ledger else ABSENT

    @property
    def row(self) -> dict[str, Any] | None:
        """The document, or its verdict."""
        return self.document or self.verdict

    def short(self) -> dict[str, Any]:
        """Return one row of the list of versions."""
        manifest = self.version.manifest
        return {
            "dataset": manifest.dataset,
            "version": manifest.version,
            "status": self.status,
            "rule": None if self.verdict is None else self.verdict["rule"],
            "split": None if self.document is None else self.document["split"],
            "current": self.is_current,
        }


def explain(name: str, workspace: Workspace, *, dataset: str | None = None) -> dict[str, Any]:
    """Explain a document by its *name*: an id or the beginning of one, a URL, or its id in its source.

    Searches all versions of the workspace, or of *dataset*: current versions first, then from new to old. `status` and
    `trail` describe the first version that knows the document; `absent_from` is the current version of that data set
    if it does not. What no version has is explained by the crawls: see `crawled`.

    Raises:
        UsageError: Several documents have ids with this beginning, or there is no such data set.
        DamagedFileError: A file is missing or unreadable.
    """
    versions = _versions(workspace, dataset)
    ids = _ids(name, workspace, [version for version, _ in versions])
    for document in ids:
        sightings = [Sighting(version, document, is_current) for version, is_current in versions]
        known = next((sighting for sighting in sightings if sighting.status != ABSENT), None)
        if known is not None:
            return {**_explained(known, sightings, workspace), "others": [other for other in ids if other != document]}
    return crawled(name, workspace) or unknown(name)


def _versions(workspace: Workspace, dataset: str | None) -> list[tuple[Version, bool]]:
    """Return all versions, current ones first, then from new to old, with whether each is current."""
    ordered = []
    for name in [dataset] if dataset is not None else datasets(workspace):
        store = dataset_store(workspace, name)
        entries = publications.publications(store)
        last = {entry["version"]: number for number, entry in enumerate(entries)}
        for version, number in last.items():
            place = (number == len(entries) - 1, entries[number]["at"], number)
            ordered.append((place, version_in(store.below(version))))
    ordered.sort(key=lambda item: (item[0], item[1].name), reverse=True)
    return [(version, place[0]) for place, version in ordered]


# -- look up the document


def _ids(name: str, workspace: Workspace, versions: list[Version]) -> list[str]:
    """Return the ids that *name* may stand for, published documents first if several have the URL."""
    if re.fullmatch(rf"[0-9a-f]{{{MIN_PREFIX},{ID_LENGTH}}}", name):
        return [name] if len(name) == ID_LENGTH else _completed(name, versions)
    names = spellings(name)
    candidates = [document_id(source, name) for source in _sources(workspace, versions) for name in names]
    known = [identity for identity in candidates if any(_knows(version, identity) for version in versions)]
    return known or _with_address(names, versions)


def _sources(workspace: Workspace, versions: list[Version]) -> list[str]:
    return sorted(
        {*workspace.sources(), *(source.source for version in versions for source in version.manifest.inputs)}
    )


def _knows(version: Version, identity: str) -> bool:
    return any(version.rows(kind, identity, columns=["id"]).num_rows for kind in ("shard", "ledger"))


def _completed(beginning: str, versions: list[Version]) -> list[str]:
    """Return the id that starts with *beginning*, if any.

    Raises:
        UsageError: Several ids start with it.
    """
    low, high = id_range(beginning)
    matches: set[str] = set()
    for version in versions:
        for kind in ("shard", "ledger"):
            table = version.rows(kind, low, high, columns=["id"])
            matches.update(table["id"].to_pylist() if table.num_columns else ())
    if len(matches) > 1:
        raise UsageError(
            f"{len(matches)} documents have an id that begins with {beginning}", hint=", ".join(sorted(matches)[:5])
        )
    return sorted(matches)


def _with_address(names: list[str], versions: list[Version]) -> list[str]:
    """Return the ids of the documents whose URL or source id is in *names*. Reads these columns of all rows."""
    for version in versions:
        try:
            with open_tables({"shards": (version, "shard"), "rejected": (version, "ledger")}) as connection:
                matches = connection.execute(
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
        if matches:
            return [identity for identity, _ in matches]
    return []


# -- describe the document


def _explained(known: Sighting, sightings: list[Sighting], workspace: Workspace) -> dict[str, Any]:
    row = known.row
    assert row is not None, "the version knows the document"
    verdict = known.verdict
    kept = None if verdict is None else verdict["duplicate_of"]
    cuts, number_of_cuts = cut_spans(known.version, known.id)
    return {
        "id": known.id,
        "url": row["url"],
        "title": row.get("title"),
        "status": known.status,
        "version": known.version.name,
        "path": known.version.address,
        "absent_from": _current_without(known, sightings),
        "versions": [sighting.short() for sighting in sightings if sighting.status != ABSENT],
        "trail": trail(known.version, document=known.document, verdict=verdict),
        "duplicate_of": kept,
        "duplicate": None if kept is None else _short(known.version, kept),
        "duplicates": _duplicates(known) if verdict is None else [],
        "cuts": cuts,
        "number_of_cuts": number_of_cuts,
        "source": source_evidence(known.version, workspace, row),
        "refused": refused_now(workspace, row),
        "captures": _captures(known),
        "document": known.document,
        "sample_text": None if verdict is None else verdict["sample_text"],
        "side_tables": _side_rows(known),
    }


def _current_without(known: Sighting, sightings: list[Sighting]) -> str | None:
    """Return the current version of the same data set if it does not know the document."""
    dataset = known.version.manifest.dataset
    current = (one for one in sightings if one.is_current and one.version.manifest.dataset == dataset)
    return next((one.version.name for one in current if one.status == ABSENT), None)


def _side_rows(known: Sighting) -> list[dict[str, Any]]:
    """Return the rows about the document in the side tables that have a note: at most `MAX_ROWS` of each."""
    tables = []
    for name, table in recorded_sides(known.version.manifest).items():
        rows = plain_rows(known.version.rows(name, known.id)) if table.note is not None else []
        if rows and table.note is not None:
            shown = rows[:MAX_ROWS]
            notes = [table.note.format(**{key: _on_one_line(value) for key, value in row.items()}) for row in shown]
            tables.append({"name": name, "count": len(rows), "rows": shown, "notes": notes})
    return tables


def _on_one_line(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def _short(version: Version, document: str) -> dict[str, Any] | None:
    rows = version.rows("shard", document, columns=list(_SHORT)).to_pylist()
    return rows[0] if rows else None


def _duplicates(known: Sighting) -> list[dict[str, Any]]:
    """Return the documents that were removed as copies of this one."""
    with open_tables({"rejected": (known.version, "ledger")}) as connection:
        rows = connection.sql(
            "SELECT id, url, source, source_id, rule, value FROM rejected WHERE duplicate_of = $document"
            f" ORDER BY id LIMIT {MAX_DUPLICATES}",
            params={"document": known.id},
        ).to_arrow_table()
    return plain_rows(rows)


def _captures(known: Sighting) -> list[dict[str, Any]]:
    """Return the other captures of the document with their verdicts."""
    verdict = known.verdict
    names = ("record_sha256", "url", "stage", "rule", "value", "threshold")
    return [
        {**{name: row[name] for name in names}, **record(known.version, known.id, row["record_sha256"])}
        for row in known.ledger
        if row is not verdict
    ]
