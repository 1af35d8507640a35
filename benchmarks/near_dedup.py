"""Measure near-duplicate removal alone: documents per CPU second, and recall of the true pairs.

    python benchmarks/near_dedup.py FOLDER [--pairs PAIRS.parquet] [--threshold 0.8] [--removed FILE]

FOLDER has Parquet files with the string columns `id` and `text`. PAIRS has the columns `a`, `b` (ids) and `j` (exact
Jaccard similarity over word 5-grams). The functions of the stage run in one process, on rows sorted in memory, without
an engine. Signatures that no other document shares are dropped first.

The script prints JSON. *recall@t* is the share of pairs with j >= t of which at least one document was removed. *wrong*
counts removed documents that are not similar to any document at the threshold, *orphans* removed documents that are not
similar to any kept document.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.apply import text_bytes
from corpusmill.pipelines.stages.dedup import candidates, greedy
from corpusmill.pipelines.stages.dedup.near import RULE, NearDedup
from corpusmill.schemas.identity import document_id

READ_ROWS = 1_000


class Removal(NamedTuple):
    """The kept document for each removed one, by their names in the files."""

    kept_of: dict[str, str]
    least_similarity: float | None
    documents: int


class Clock(dict[str, float]):
    """CPU seconds by phase."""

    def __init__(self) -> None:
        super().__init__()
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        """Add the CPU time since the last call to the phase *name*."""
        now = time.process_time()
        self[name] = round(self.get(name, 0.0) + now - self._last, 3)
        self._last = now


def documents(folder: Path) -> Iterator[pa.RecordBatch]:
    """Yield the documents as captures of one source without a date, so that ids alone determine the priority."""
    place = 0
    for file in sorted(folder.glob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=READ_ROWS, columns=["id", "text"]):
            native = batch["id"].to_pylist()
            ids = pa.array([document_id("benchmark", name) for name in native])
            columns = {
                "id": ids,
                "text": batch["text"],
                "native": batch["id"],
                "text_bytes": text_bytes(batch["text"]),
                PLACE: pa.array(range(place, place + len(ids)), pa.int64()),
                "fetched_at": pa.nulls(len(ids), pa.timestamp("us", "UTC")),
                "rule": pa.nulls(len(ids), pa.string()),
            }
            place += len(ids)
            yield pa.record_batch(columns)


def remove_near(folder: Path, stage: NearDedup, clock: Clock) -> Removal:
    """Return the near-duplicates among the documents of *folder*. Texts are read twice, as in a run."""
    sign = candidates.Sign(ngram=stage.ngram, bands=stage.bands, rows=stage.rows, into="bands").build()
    explode = candidates.Explode(bands="bands").build()
    names: dict[int, tuple[str, str]] = {}
    bands: list[pa.RecordBatch] = []
    for batch in documents(folder):
        pairs = zip(batch["id"].to_pylist(), batch["native"].to_pylist(), strict=True)
        names |= dict(zip(batch[PLACE].to_pylist(), pairs, strict=True))
        clock.lap("read")
        signed = pa.record_batch({"bands": sign(batch)["bands"], PLACE: batch[PLACE]})
        bands += explode(iter([signed]))
        clock.lap("sign")
    flags = _sorted(bands, candidates.Flag().build(), candidates.BAND, ["band", PLACE])
    clock.lap("buckets")
    listed = _sorted(flags, candidates.Listed(into="shared").build(), candidates.BAND, [PLACE, "band"])
    shared = pa.Table.from_batches(listed) if listed else pa.table({PLACE: pa.array([], pa.int64())})
    rows = list(_candidates(folder, shared, stage))
    clock.lap("candidates")
    decide = greedy.Greedy(threshold=stage.threshold, rule=RULE).build()
    stars = _sorted(rows, decide, candidates.CANDIDATE, ["priority", "id"])
    clock.lap("greedy")
    removed = [row for batch in stars for row in batch.to_pylist() if row["rule"] is not None]
    by_id = dict(names.values())
    kept_of = {names[row[PLACE]][1]: by_id[row["duplicate_of"]] for row in removed}
    return Removal(kept_of, min((row["value"] for row in removed), default=None), len(names))


def _candidates(folder: Path, shared: pa.Table, stage: NearDedup) -> Iterator[pa.RecordBatch]:
    gather = candidates.Candidates(ngram=stage.ngram, keep=stage.keep, bands="shared").build()
    places = np.asarray(shared[PLACE])
    for batch in documents(folder):
        first = batch[PLACE][0].as_py()
        low, high = np.searchsorted(places, [first, first + batch.num_rows])
        here = batch.take(pa.array(places[low:high] - first))
        own = shared["shared"].slice(low, high - low).combine_chunks()
        yield from gather(iter([here.append_column("shared", own)]))


def _sorted(batches: list[pa.RecordBatch], function: Any, schema: pa.Schema, by: list[str]) -> list[pa.RecordBatch]:
    table = pa.Table.from_batches(batches, schema=schema).combine_chunks().sort_by([(name, "ascending") for name in by])
    return list(function(iter(table.to_batches(max_chunksize=8192))))


def scores(removed: Set[str], pairs: pa.Table, *, threshold: float) -> dict[str, Any]:
    """Compare the names of the documents *removed* with the true *pairs*.

    >>> pairs = pa.table({"a": ["x", "y"], "b": ["y", "z"], "j": [0.85, 0.95]})
    >>> scores({"y", "z"}, pairs, threshold=0.8)
    {'wrong': 0, 'orphans': 1, 'recall@0.8': 1.0, 'recall@0.9': 1.0}
    """
    a, b, j = (pairs[name].to_pylist() for name in ("a", "b", "j"))
    near = [(one, other) for one, other, value in zip(a, b, j, strict=True) if value >= threshold - 1e-6]
    any_near = {name for pair in near for name in pair}
    kept_near = {one for one, other in near if other not in removed} | {
        other for one, other in near if one not in removed
    }
    result: dict[str, Any] = {
        "wrong": len(removed - any_near),
        "orphans": len(removed - kept_near),
    }
    for bound in (0.8, 0.9):
        is_removed = [
            one in removed or other in removed for one, other, value in zip(a, b, j, strict=True) if value >= bound
        ]
        result[f"recall@{bound}"] = round(sum(is_removed) / max(1, len(is_removed)), 5)
    return result


def dedup(folder: str, _work: str, mode: str, opt: dict[str, str]) -> tuple[Any, dict[str, tuple[None, float]]]:
    """Return the removed ids for a benchmark that compares engines; with *mode* ``sign``, the number of documents."""
    clock = Clock()
    if mode == "sign":
        stage = NearDedup()
        sign = candidates.Sign(ngram=stage.ngram, bands=stage.bands, rows=stage.rows, into="bands").build()
        count = sum(sign(batch).num_rows for batch in documents(Path(folder)))
        clock.lap("sign")
        return count, {name: (None, seconds) for name, seconds in clock.items()}
    removal = remove_near(
        Path(folder), NearDedup.model_validate({"threshold": float(opt.get("threshold", 0.8))}), clock
    )
    return sorted(removal.kept_of), {name: (None, seconds) for name, seconds in clock.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--removed", type=Path, metavar="FILE", help="Write the names of the removed documents here.")
    options = parser.parse_args()
    stage = NearDedup.model_validate({"threshold": options.threshold})
    clock = Clock()
    removal = remove_near(options.folder, stage, clock)
    versions = {"python": platform.python_version(), "numpy": np.__version__, "pyarrow": pa.__version__}
    result: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions,
        "stage": stage.model_dump(),
        "documents": removal.documents,
        "removed": len(removal.kept_of),
        "least_similarity": removal.least_similarity,
        "cpu_s": clock,
        "documents_per_cpu_s": round(removal.documents / sum(clock.values())),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if options.removed is not None:
        options.removed.write_text(json.dumps(sorted(removal.kept_of)))
    if options.pairs is not None:
        result |= scores(removal.kept_of.keys(), pq.read_table(options.pairs), threshold=options.threshold)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
