"""Compute the figures of a version from its files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from corpusmill.pipelines.dataset.naming import id_warnings
from corpusmill.pipelines.dataset.version import version_in
from corpusmill.pipelines.reports import contents, crawls, duplicates, examples, signals
from corpusmill.pipelines.reports.tables import Tables, open_tables, read_schema
from corpusmill.schemas.errors import UsageError
from corpusmill.schemas.manifest import StageCounts, StepCost, VersionManifest, schema_as_json
from corpusmill.schemas.storage import Store, StoredFile, open_store

FORMAT_VERSION: Final = 1
BYTES_PER_TOKEN: Final = 4
"""Rough number of bytes of English text per token of a byte-level BPE with 32,000 entries, for an estimate without a
tokenizer."""


def read_manifest(version: Store | Path) -> VersionManifest:
    """Return the manifest of the *version* in a folder or store.

    Raises:
        UsageError: There is no manifest.
    """
    store = open_store(version)
    try:
        return VersionManifest.model_validate_json(store.read("manifest.json"))
    except FileNotFoundError:
        raise UsageError(
            f"not a version: {store.address()} has no manifest.json", hint="pass the folder of a published version"
        ) from None


def statistics(version: Store | Path) -> dict[str, Any]:
    """Return the figures of the *version* in a folder or store. Reads all of its files, in bounded memory.

    Texts are shortened to `examples.TEXT_LENGTH` characters, and lists to their largest entries.

    Raises:
        UsageError: There is no version.
        DamagedFileError: A file is missing or unreadable.
    """
    manifest = read_manifest(version)
    with open_tables(version, manifest) as tables:
        return {
            "format_version": FORMAT_VERSION,
            **_head(manifest),
            "sizes": _sizes(manifest, tables),
            "conservation": _conservation(manifest, tables),
            "funnel": [_funnel_stage(stage) for stage in manifest.counts.stages],
            "rules": contents.rules(tables),
            "bounds": examples.bounds(manifest, tables),
            "errors": examples.errors(tables),
            "sources": contents.sources(manifest, tables),
            "refused": contents.refused(manifest),
            "crawls": crawls.crawls(manifest, tables),
            "warnings": id_warnings(version_in(version)),
            "licenses": contents.licenses(tables),
            "languages": contents.languages(tables),
            "lengths": contents.lengths(tables),
            "dates": contents.dates(tables),
            "domains": contents.domains(tables),
            "largest_documents": contents.largest_documents(tables),
            "duplicates": duplicates.duplicates(manifest, tables),
            "personal_data": signals.personal_data(manifest, tables),
            "signals": signals.distributions(manifest, tables),
            "splits": contents.splits(manifest, tables),
            "side_tables": _side_tables(open_store(version), manifest),
            "side_counts": contents.side_counts(manifest, tables),
            "leakage": duplicates.leakage(tables),
            "split_groups": None if manifest.split_groups is None else manifest.split_groups.model_dump(),
            "cost": _cost(manifest.cost),
        }


def _head(manifest: VersionManifest) -> dict[str, Any]:
    return {
        "dataset": manifest.dataset,
        "version": manifest.version,
        "parent": manifest.parent,
        "created_at": manifest.created_at.isoformat(),
        "stages": manifest.recipe.get("stages", []),
        "tools": manifest.tools,
        "columns": manifest.document_schema,
        "side_rows": _side_rows(manifest),
    }


def _side_rows(manifest: VersionManifest) -> dict[str, int]:
    """Count the rows of the side files of each kind: ledger, origin, signals, and the side tables of stages."""
    rows: dict[str, int] = {}
    for side in sorted(manifest.side_files, key=lambda side: side.kind):
        rows[side.kind] = rows.get(side.kind, 0) + side.rows
    return rows


def _side_tables(version: Store, manifest: VersionManifest) -> list[dict[str, Any]]:
    """Describe the side tables that stages published; reads the schema of one file of each."""
    return [
        {
            "name": name,
            "stage": stage_of(name),
            "rows": sum(file.rows for file in files),
            "files": len(files),
            "columns": schema_as_json(read_schema(StoredFile(version, files[0].path, files[0].bytes))),
        }
        for name, files in manifest.side_tables().items()
    ]


def stage_of(side_table: str) -> str:
    """Return the stage that published *side_table*.

    >>> stage_of("shouting.spans")
    'shouting'
    """
    return side_table.partition(".")[0]


def _sizes(manifest: VersionManifest, tables: Tables) -> dict[str, Any]:
    totals = tables.row(
        """
        SELECT count(*) AS documents, coalesce(sum(bytes), 0)::BIGINT AS text_bytes,
            coalesce(sum(char_count), 0)::BIGINT AS characters, coalesce(sum(word_count), 0)::BIGINT AS words
        FROM documents
        """
    )
    return {
        **totals,
        "tokens_estimated": totals["text_bytes"] // BYTES_PER_TOKEN,
        "shards": len(manifest.files),
        "shard_bytes": sum(shard.bytes for shard in manifest.files),
        "sources": len(manifest.counts.by_source) or len(manifest.inputs),
        "read": manifest.counts.read,
        "ledger": manifest.counts.ledger - manifest.counts.created,
    }


def _conservation(manifest: VersionManifest, tables: Tables) -> dict[str, Any]:
    counts = manifest.counts
    ledger = counts.ledger - counts.created
    rows = tables.row("SELECT (SELECT count(*) FROM documents) AS shards, (SELECT count(*) FROM ledger) AS ledger")
    broken = [stage.name for stage in counts.stages if not stage.holds]
    as_counted = (rows["shards"], rows["ledger"]) == (counts.published, ledger)
    return {
        "read": counts.read,
        "published": counts.published,
        "ledger": ledger,
        "rows": rows,
        "broken_stages": broken,
        "holds": counts.read == counts.published + ledger and as_counted and not broken,
    }


def _funnel_stage(stage: StageCounts) -> dict[str, Any]:
    return {**stage.model_dump(exclude={"rules"}), "holds": stage.holds}


def _cost(cost: tuple[StepCost, ...]) -> dict[str, Any]:
    return {
        "steps": [step.model_dump() for step in cost],
        "cpu_s": round(sum(step.cpu_s for step in cost), 3),
        "wall_s": round(sum(step.wall_s for step in cost), 3),
        "peak_mb": max((step.peak_mb for step in cost), default=0.0),
        "bytes": sum(step.bytes for step in cost),
    }
