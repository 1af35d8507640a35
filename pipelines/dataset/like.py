"""Search versions for documents that are like a text, through the tables that `near_dedup` publishes.

The signature of the text is computed with datasketch. Documents that share a band key with it are candidates, and their
published texts are compared with it exactly. Neither the index nor the texts are held as a whole: an index is read row
group by row group, and candidates are compared `MAX_IDS` at a time.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.dataset.explain import PUBLISHED, Sighting
from corpusmill.pipelines.dataset.inspect import plain_rows
from corpusmill.pipelines.dataset.recorded import recorded_sides
from corpusmill.pipelines.dataset.version import Version, datasets, open_version
from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.parent import INDEX_TABLE, differences
from corpusmill.pipelines.stages.dedup.shingles import shingle_sets, word_hashes
from corpusmill.pipelines.stages.dedup.signatures import SEED, band_keys
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.errors import UsageError

MAX_MATCHES: Final = 10
"""Similar documents that are listed at most, and as many rejected candidates."""
MAX_IDS: Final = 10_000
"""Ids of candidates that are held in memory."""
SAMPLE_CHARACTERS: Final = 500
"""Characters of a text that a match has."""
MIN_SHARE: Final = 0.5
"""Share of the threshold below which a document is not listed. Bands detect few of the pairs that are less similar."""
_COLUMNS: Final[tuple[str, ...]] = ("id", "text", "title", "url", "source", "source_id", "cluster_size")
_SHINGLES_AT_ONCE: Final = 10_000
"""datasketch holds a matrix of this many rows and a column for each permutation."""

UInt64: TypeAlias = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Index:
    """The index of one `near_dedup` stage of a version.

    Args:
        kind: Name of the side table.
        parameters: What its keys depend on; empty if the stage compared no document.
    """

    version: Version
    kind: str
    parameters: dict[str, Any]

    @property
    def rows(self) -> int:
        """Number of documents that the stage compared."""
        return sum(file.rows for file in self.version.manifest.side_tables()[self.kind])


def like(text: str, workspace: Workspace, *, dataset: str | None = None) -> dict[str, Any]:
    """Search the current version of each data set, or *dataset* alone, for documents that are like *text*.

    Args:
        dataset: Name of a data set, or any other name of a version that `open_version` accepts.

    Returns:
        The `matches`: up to `MAX_MATCHES` published documents, the most similar first, then, for each index, as many
        candidates that a later stage rejected, whose texts are not published. `searched` has the numbers of each index,
        and `not_searched` the versions without a usable one. A text without words is like no document.

    Raises:
        UsageError: There is no such data set, or no version that has a usable index.
        DamagedFileError: A file is missing or unreadable.
    """
    names = [dataset] if dataset is not None else datasets(workspace)
    if not names:
        hint = "publish with `corpusmill run`, or select another --workspace or --store"
        raise UsageError(f"nothing is published in {workspace.store.address()}", hint=hint)
    indexes: list[Index] = []
    problems: list[tuple[Version, UsageError]] = []
    for version in (open_version(name, workspace) for name in names):
        try:
            indexes += indexes_of(version)
        except UsageError as error:
            problems.append((version, error))
    if not indexes:
        raise problems[0][1]
    results = [_search(index, text) for index in indexes]
    matches = [match for result in results for match in result["matches"]]
    published = [match for match in matches if match["status"] == PUBLISHED]
    return {
        "has_words": bool(len(word_hashes([text]).values)),
        "matches": [*_most_similar(published), *(match for match in matches if match["status"] != PUBLISHED)],
        "searched": [result["searched"] for result in results],
        "not_searched": [{**_named(version), "reason": str(error)} for version, error in problems],
    }


def indexes_of(version: Version) -> list[Index]:
    """Return the indexes of *version*, one for each `near_dedup` stage that published one.

    Raises:
        UsageError: It has none, or one was made by a version of the stage that computes other keys.
    """
    kinds = [kind for kind, table in recorded_sides(version.manifest).items() if table is INDEX_TABLE]
    if not kinds:
        hint = "publish with `near_dedup: {index: true}`"
        raise UsageError(f"{version.name} has no index of near duplicates", hint=hint)
    return [_index(version, kind) for kind in kinds]


def _index(version: Version, kind: str) -> Index:
    batches = version.batches(kind, columns=["parameters"])
    text = next((str(batch["parameters"][0]) for batch in batches if batch.num_rows), None)
    if text is None:
        return Index(version, kind, {})
    parameters = json.loads(text)
    installed = {"unicode": unicodedata.unidata_version, "version": NearDedup.version}
    if changes := differences(text, parameters | installed):
        problem = f"the index of {version.name} was made by another installation: {', '.join(changes)}"
        raise UsageError(problem, hint="run its recipe again with this installation")
    return Index(version, kind, parameters)


# -- search


@dataclass(frozen=True)
class Query:
    """The distinct shingles of a text, sorted, and its band keys. A text without words has neither."""

    shingles: UInt64
    keys: pa.Int64Array


def _query(text: str, parameters: dict[str, Any]) -> Query:
    shingles = shingle_sets([text], ngram=parameters["ngram"]).values if parameters else np.empty(0, np.uint64)
    if not len(shingles):
        return Query(shingles, pa.array([], pa.int64()))
    signature = _signature(shingles, count=parameters["bands"] * parameters["rows"])
    return Query(shingles, pa.array(band_keys(signature, bands=parameters["bands"])))


def _signature(shingles: UInt64, *, count: int) -> npt.NDArray[np.uint32]:
    """Return the MinHash signature of *shingles* as datasketch computes it: shape (count,)."""
    from datasketch import MinHash  # takes half a second, because it imports scipy

    minhash = MinHash(num_perm=count, seed=SEED, scheme="affine32", hashfunc=int)
    low_bits = shingles.astype(np.uint32)
    for start in range(0, len(low_bits), _SHINGLES_AT_ONCE):
        minhash.update_batch(low_bits[start : start + _SHINGLES_AT_ONCE].tolist())
    return np.asarray(minhash.hashvalues, np.uint32)


def _search(index: Index, text: str) -> dict[str, Any]:
    """Return the matches in one index, and its numbers."""
    place = {**_named(index.version), "index": index.kind}
    numbers = {"documents": index.rows, "candidates": 0, "similar": 0, "not_published": 0}
    similar: list[dict[str, Any]] = []
    absent: list[str] = []
    query = _query(text, index.parameters)
    for ids in _candidates(index, query.keys):
        published = []
        for batch in _published(index.version, ids):
            published.append(batch["id"])
            rows, count = _similar(batch, query, index.parameters)
            numbers["similar"] += count
            similar = _most_similar([*similar, *rows])
        others = ids.filter(pc.invert(pc.is_in(ids, pa.chunked_array(published, pa.string()).combine_chunks())))
        numbers["candidates"] += len(ids)
        numbers["not_published"] += len(others)
        absent += others.slice(0, MAX_MATCHES - len(absent)).to_pylist()
    matches = [place | match for match in (*similar, *(_unpublished(index.version, one) for one in absent))]
    return {"matches": matches, "searched": place | numbers}


def _named(version: Version) -> dict[str, str]:
    return {"dataset": version.manifest.dataset, "version": version.manifest.version}


def _most_similar(matches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(matches, key=lambda match: (-match["similarity"], match["id"]))[:MAX_MATCHES]


def _candidates(index: Index, keys: pa.Int64Array) -> Iterator[pa.StringArray]:
    """Yield the ids of kept documents that have one of the band *keys*, at most `MAX_IDS` at a time."""
    if not len(keys):
        return
    waiting: list[pa.StringArray] = []
    for batch in index.version.batches(index.kind, columns=["id", "bands"]):
        ids = _sharing(batch, keys)
        while len(ids):
            free = MAX_IDS - sum(map(len, waiting))
            waiting.append(ids.slice(0, free))
            if len(ids) >= free:
                yield pa.concat_arrays(waiting)
                waiting = []
            ids = ids.slice(free)
    if waiting:
        yield pa.concat_arrays(waiting)


def _sharing(batch: pa.RecordBatch, keys: pa.Int64Array) -> pa.StringArray:
    """Return the ids of the rows of *batch* that have one of *keys*."""
    is_shared = pc.is_in(pc.list_flatten(batch["bands"]), value_set=keys)
    return batch["id"].take(pc.unique(pc.list_parent_indices(batch["bands"]).filter(is_shared)))


# -- compare


def _published(version: Version, ids: pa.StringArray) -> Iterator[pa.RecordBatch]:
    columns = [name for name in _COLUMNS if name in version.columns]
    return version.documents(ids=ids, columns=columns)


def _similar(batch: pa.RecordBatch, query: Query, parameters: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the most similar documents of *batch*, and how many are similar enough to be listed."""
    sets = shingle_sets(batch["text"], ngram=parameters["ngram"])
    similarities = np.frombuffer(_kernel.similarities(query.shingles, sets.values, sets.counts_D), np.float64)
    listed = np.flatnonzero(similarities >= MIN_SHARE * parameters["threshold"])
    best = listed[np.argsort(-similarities[listed], kind="stable")][:MAX_MATCHES]
    rows = plain_rows(batch.take(pa.array(best)))
    pairs = zip(rows, similarities[best].tolist(), strict=True)
    return [_match(row, similarity, parameters) for row, similarity in pairs], len(listed)


def _match(row: dict[str, Any], similarity: float, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return a published document with its similarity."""
    threshold = parameters["threshold"]
    return {
        **{"status": PUBLISHED, "similarity": similarity, "threshold": threshold, "keep": parameters["keep"]},
        "is_near_duplicate": similarity >= threshold,
        **{name: value for name, value in row.items() if name != "text"},
        "sample_text": row["text"][:SAMPLE_CHARACTERS],
    }


def _unpublished(version: Version, identity: str) -> dict[str, Any]:
    """Return a candidate whose text is not published, with the stage and the rule that rejected it."""
    sighting = Sighting(version, identity, is_current=True)
    verdict = sighting.verdict or {}
    names = ("url", "source", "source_id", "stage", "rule", "sample_text")
    named = {name: verdict.get(name) for name in names}
    return {"status": sighting.status, "similarity": None, "id": identity, **named}
