"""Warnings about the ids of records: missing, unusable and repeated ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.stages.identity import SUPERSEDED, UNDECIDED
from corpusmill.pipelines.stages.read import ID
from corpusmill.schemas.manifest import VersionManifest

_LEDGER_COLUMNS: Final = ("rule", "message", "source", "source_id")
_KEY: Final = "ids."
DEFAULT_ID_FIELD: Final = "id"
_SHOWN: Final = 80
"""Characters of an id that a message shows."""


def id_counts(counters: Mapping[str, int], source: str) -> dict[str, int]:
    """Return the counts of given, missing and unusable ids of *source*, from the counters of the step that reads."""
    prefix = f"{ID}/{source}/"
    return {f"{_KEY}{name.removeprefix(prefix)}": n for name, n in counters.items() if name.startswith(prefix) and n}


def id_warnings(version: Version) -> list[str]:
    """Return the warnings about the ids of the records of *version*.

    Reads the ledger only if some records had the same id.
    """
    return [*unnamed_records(version.manifest), *repeated_ids(version)]


def unnamed_records(manifest: VersionManifest) -> list[str]:
    """Return a warning for each source that has ids but also records that are named by their hash.

    A source has ids if its recipe names the field, or if some of its records have one.
    """
    named = _sources_with_id_field(manifest)
    warnings = []
    for source in manifest.inputs:
        given, missing, unusable = (source.counts.get(f"{_KEY}{how}", 0) for how in ("given", "missing", "unusable"))
        total = given + missing + unusable
        if unusable:
            warnings.append(
                f"source `{source.source}`: the id of {unusable:,} of {total:,} records is an object or a list, so "
                "they are named by their hash; set `id_field` to a field with text or numbers"
            )
        if missing and (missing < total or source.source in named):
            warnings.append(
                f"source `{source.source}`: {missing:,} of {total:,} records have no id, so they are named "
                "by their hash"
            )
    return warnings


def _sources_with_id_field(manifest: VersionManifest) -> set[str]:
    """Return the sources whose recipe sets `id_from`, or an `id_field` other than the default, `id`."""
    loads = [entry["load"] for entry in manifest.recipe.get("sources", []) if isinstance(entry.get("load"), dict)]
    return {
        load["name"] for load in loads if load.get("id_field") not in (None, DEFAULT_ID_FIELD) or load.get("id_from")
    }


def repeated_ids(version: Version) -> list[str]:
    """Return a warning for each source with records that have the same id and different texts."""
    if not any(stage.rules.get(SUPERSEDED) for stage in version.manifest.counts.stages):
        return []
    records: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for file in version.stored("ledger"):
        with file.open() as opened:
            rows = pq.read_table(opened, columns=list(_LEDGER_COLUMNS))
        rows = rows.filter(pc.and_(pc.equal(rows["rule"], SUPERSEDED), pc.equal(rows["message"], UNDECIDED)))
        for source, source_id in zip(*map(pa.ChunkedArray.to_pylist, (rows["source"], rows["source_id"])), strict=True):
            records[source] += 1
            examples[source] = min(source_id, examples.get(source, source_id))
    return [
        f"source `{source}`: {count:,} {'record is' if count == 1 else 'records are'} not published, because another "
        f"record has the same id and another text (for example `{_printable(examples[source])}`); if ids start again "
        "in each file, set "
        "`id_from: [file, id]`, or make each file a source"
        for source, count in sorted(records.items())
    ]


def _printable(source_id: str) -> str:
    return repr(source_id[:_SHOWN])[1:-1]
