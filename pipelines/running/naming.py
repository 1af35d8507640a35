"""Warnings about the names of records: ids that are missing or of no use, and ids that more than one record has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.dataset.version import Version
from corpusmill.pipelines.engines.store import StepResult
from corpusmill.pipelines.stages.identity import SUPERSEDED, UNDECIDED
from corpusmill.pipelines.stages.read import ID
from corpusmill.schemas.recipe import LoadSource, Source

_LEDGER_COLUMNS: Final = ("rule", "message", "source", "source_id")
DEFAULT_ID_FIELD: Final = "id"
_SHOWN: Final = 80
"""Characters of an id in a message."""


def unnamed_records(sources: Sequence[Source], steps: Iterable[StepResult]) -> list[str]:
    """Return a warning for each of *sources* of which records are named by their hash although the source has ids.

    A source has ids where its recipe says by which field, or where some of its records have one.
    """
    counters: Counter[str] = Counter()
    for step in steps:
        if not step.name.startswith("limit"):  # it read the same records before
            counters.update({name: n for name, n in step.counters.items() if name.startswith(f"{ID}/")})
    warnings = []
    for source in sources:
        given, missing, unusable = (counters[f"{ID}/{source.name}/{how}"] for how in ("given", "missing", "unusable"))
        total = given + missing + unusable
        if unusable:
            warnings.append(
                f"source `{source.name}`: the id of {unusable:,} of {total:,} records is an object or a list; they are "
                "named by their hash: name a field of text or numbers with `id_field`"
            )
        if missing and (missing < total or _says_how(source)):
            warnings.append(
                f"source `{source.name}`: {missing:,} of {total:,} records have no id; they are named by their hash"
            )
    return warnings


def _says_how(source: Source) -> bool:
    """Tell whether the recipe says what names the records of *source*, other than by the default, `id`."""
    return isinstance(source, LoadSource) and (
        source.id_field not in (None, DEFAULT_ID_FIELD) or bool(source.options.get("id_from"))
    )


def repeated_ids(version: Version, rules: Mapping[str, int]) -> list[str]:
    """Return a warning for each source of which records gave way to others of the same id and another text.

    Args:
        rules: Records in the ledger by rule; without superseded ones the ledger is not read.
    """
    if not rules.get(SUPERSEDED):
        return []
    found: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for file in version.stored("ledger"):
        with file.open() as opened:
            rows = pq.read_table(opened, columns=list(_LEDGER_COLUMNS))
        rows = rows.filter(pc.and_(pc.equal(rows["rule"], SUPERSEDED), pc.equal(rows["message"], UNDECIDED)))
        for source, source_id in zip(*map(pa.ChunkedArray.to_pylist, (rows["source"], rows["source_id"])), strict=True):
            found[source] += 1
            examples[source] = min(source_id, examples.get(source, source_id))
    return [
        f"source `{source}`: {count:,} records are not published, because another one has the same id and another "
        f"text, such as `{_printable(examples[source])}`; where ids begin again in each file, write "
        "`id_from: [file, id]`, or make each file a source of its own"
        for source, count in sorted(found.items())
    ]


def _printable(source_id: str) -> str:
    return repr(source_id[:_SHOWN])[1:-1]
