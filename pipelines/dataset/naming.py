"""Warnings about the names of records: ids that are missing or of no use, and ids that more than one record has."""

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
"""Characters of an id in a message."""


def id_counts(counters: Mapping[str, int], source: str) -> dict[str, int]:
    """Return how the records of *source* are named, as the counters of the reading step say, for its manifest entry."""
    prefix = f"{ID}/{source}/"
    return {f"{_KEY}{name.removeprefix(prefix)}": n for name, n in counters.items() if name.startswith(prefix) and n}


def id_warnings(version: Version) -> list[str]:
    """Return the warnings about the ids of the records that *version* was made from.

    Reads the ledger where a record gave way to another one of its id.
    """
    return [*unnamed_records(version.manifest), *repeated_ids(version)]


def unnamed_records(manifest: VersionManifest) -> list[str]:
    """Return a warning for each source of which records are named by their hash although the source has ids.

    A source has ids where its recipe says by which field, or where some of its records have one.
    """
    named = _names_that_recipes_give(manifest)
    warnings = []
    for source in manifest.inputs:
        given, missing, unusable = (source.counts.get(f"{_KEY}{how}", 0) for how in ("given", "missing", "unusable"))
        total = given + missing + unusable
        if unusable:
            warnings.append(
                f"source `{source.source}`: the id of {unusable:,} of {total:,} records is an object or a list; they "
                "are named by their hash: name a field of text or numbers with `id_field`"
            )
        if missing and (missing < total or source.source in named):
            warnings.append(
                f"source `{source.source}`: {missing:,} of {total:,} records have no id; they are named by their hash"
            )
    return warnings


def _names_that_recipes_give(manifest: VersionManifest) -> set[str]:
    """Return the sources of which the recipe says what names their records, other than by the default, `id`."""
    loads = [entry["load"] for entry in manifest.recipe.get("sources", []) if isinstance(entry.get("load"), dict)]
    return {
        load["name"] for load in loads if load.get("id_field") not in (None, DEFAULT_ID_FIELD) or load.get("id_from")
    }


def repeated_ids(version: Version) -> list[str]:
    """Return a warning for each source of which records gave way to others of the same id and another text."""
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
        f"source `{source}`: {count:,} records are not published, because another one has the same id and another "
        f"text, such as `{_printable(examples[source])}`; where ids begin again in each file, write "
        "`id_from: [file, id]`, or make each file a source of its own"
        for source, count in sorted(records.items())
    ]


def _printable(source_id: str) -> str:
    return repr(source_id[:_SHOWN])[1:-1]
