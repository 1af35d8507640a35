"""Laws 1 to 4 of `near_dedup` on the truth set: 20,438 documents with all pairs whose similarity is at least 0.5.

The pairs were computed without bands (`README` of the shared data). Similarities are computed again here, from words.
"""

from __future__ import annotations

import functools
import os
import random
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corpusmill.pipelines.api import make_engine
from corpusmill.pipelines.stages.dedup.priority import Keep
from corpusmill.schemas.identity import document_id
from tests.pipelines.running.test_incremental import Project
from tests.pipelines.stages.dedup.corpus import EPOCH, shingle_set
from tests.pipelines.stages.dedup.laws import KEEPS, SOURCES, place

TRUTH = Path(os.environ.get("CORPUSMILL_SHARED", Path(__file__).parents[5] / "shared")) / "data/dedup"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TRUTH.exists(), reason=f"no {TRUTH}: set CORPUSMILL_SHARED"),
]
THRESHOLD = 0.8
RECIPE = """\
dataset: truth
sources:
  - load: {name: wiki, format: jsonl, path: "data/wiki*.jsonl"}
  - load: {name: books, format: jsonl, path: "data/books*.jsonl"}
  - load: {name: web, format: jsonl, path: "data/web*.jsonl"}
stages:
  - near_dedup: {keep: KEEP}
split: {train: 1, validation: 0, test: 0}
checks: {max_rejected: 1}
"""
UNSPACED = re.compile("[\u0e00-\u1fff\u2e80-\U0010ffff]")
"""Letters of scripts without spaces, and more."""
Document = dict[str, Any]
Neighbors = Mapping[str, set[str]]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """The documents of the truth set, each from a random source and day; some have no day."""
    rows = pq.read_table(TRUTH / "truth", columns=["id", "text"]).to_pylist()
    chance = random.Random(20_438)
    for row in rows:
        row["source"] = chance.choice(SOURCES)
        row["day"] = chance.choice([None, *range(9)])
    return {row["id"]: row for row in rows}


@pytest.fixture(scope="module")
def pairs(documents: dict[str, Document]) -> list[tuple[str, str, float]]:
    """All pairs, with their similarity. For the truth set, a sentence without spaces is one word; for us it is not."""
    columns = pq.read_table(TRUTH / "truth_pairs.parquet").to_pydict()
    unspaced = {name for name, row in documents.items() if UNSPACED.search(row["text"])}
    return [
        (one, other, jaccard(documents[one], documents[other]) if {one, other} & unspaced else similarity)
        for one, other, similarity in zip(columns["a"], columns["b"], columns["j"], strict=True)
    ]


@pytest.fixture(scope="module")
def neighbors(pairs: list[tuple[str, str, float]]) -> Neighbors:
    """The documents that each document is similar to."""
    similar: dict[str, set[str]] = {}
    for one, other, similarity in pairs:
        if similarity >= THRESHOLD:
            similar.setdefault(one, set()).add(other)
            similar.setdefault(other, set()).add(one)
    return similar


def write(project: Project, rows: Sequence[Document], *, name: str, files: int = 1, seed: int = 0) -> None:
    """Write *rows* in random order to *files* files for each source."""
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    for source in SOURCES:
        own = [line_of(row) for row in shuffled if row["source"] == source]
        for number in range(files):
            project.write(f"{source}-{name}-{number}", own[number::files])


def line_of(row: Document) -> Document:
    """Return *row* as a line of JSON Lines."""
    day = row["day"]
    fetched = {} if day is None else {"fetched_at": (EPOCH + timedelta(days=day)).isoformat()}
    return {"id": row["id"], "text": row["text"], **fetched}


@functools.cache
def grams(text: str) -> set[tuple[str, ...]]:
    """Return the shingles of a text with at least five words."""
    if UNSPACED.search(text):
        return shingle_set(text)
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[start:] for start in range(5)), strict=False))


def jaccard(one: Document, other: Document) -> float:
    left, right = grams(one["text"]), grams(other["text"])
    return len(left & right) / len(left | right)


def survivors(documents: Mapping[str, Document], neighbors: Neighbors, keep: Keep) -> set[str]:
    """Return the lexicographically first maximal independent set of the known pairs."""

    def order(name: str) -> tuple[Any, ...]:
        row = documents[name]
        day = None if row["day"] is None else EPOCH + timedelta(days=row["day"])
        known = {"id": document_id(row["source"], name), "source": row["source"], "fetched_at": day}
        return place({**known, "text_bytes": len(row["text"].encode())}, keep)

    kept: set[str] = set()
    for name in sorted(documents, key=order):
        if kept.isdisjoint(neighbors.get(name, ())):
            kept.add(name)
    return kept


@pytest.mark.parametrize("keep", KEEPS)
def test_laws_1_to_3_hold_for_all_known_pairs(
    documents: dict[str, Document],
    pairs: list[tuple[str, str, float]],
    neighbors: Neighbors,
    tmp_path: Path,
    keep: Keep,
) -> None:
    """Bands may miss a pair, so the survivors equal the definition only up to what they miss, which is nothing here."""
    project = Project(tmp_path, recipe=RECIPE.replace("KEEP", keep), incremental=False)
    write(project, list(documents.values()), name="all")

    project.run()

    kept, removed = project.kept(), project.removed()
    assert kept | removed.keys() == documents.keys()
    for least, recall in ((0.8, 0.999), (0.9, 1.0)):
        similar = [(one, other) for one, other, similarity in pairs if similarity >= least]
        assert sum(not {one, other} <= kept for one, other in similar) >= recall * len(similar)
    assert set(removed.values()) <= kept
    shown = {row["source_id"]: row for row in project.table("ledger").to_pylist()}
    for name, other in removed.items():
        assert shown[name]["value"] == jaccard(documents[name], documents[other]) >= THRESHOLD
    assert kept == survivors(documents, neighbors, keep)
    stars = project.table("shard").select(["id", "source_id", "cluster_id", "cluster_size"]).to_pylist()
    sizes = dict.fromkeys(kept, 1)
    for other in removed.values():
        sizes[other] += 1
    assert {row["source_id"]: row["cluster_size"] for row in stars} == sizes
    assert all(row["cluster_id"] == row["id"] for row in stars)


def test_law_4_a_later_half_changes_nothing_before(documents: dict[str, Document], tmp_path: Path) -> None:
    """The oldest half is published, then all: the survivors are those of all documents at once."""
    old = [row for row in documents.values() if row["day"] is not None and row["day"] < 5]
    new = [row for row in documents.values() if row["day"] is None or row["day"] >= 5]
    grown = Project(tmp_path / "grown", recipe=RECIPE.replace("KEEP", "oldest"))
    write(grown, old, name="old")
    grown.run()
    before = grown.kept()
    write(grown, new, name="new")
    grown.run()
    at_once = Project(tmp_path / "once", recipe=RECIPE.replace("KEEP", "oldest"), incremental=False)
    write(at_once, [*old, *new], name="all")

    at_once.run()

    assert before <= grown.kept() == at_once.kept()
    assert grown.removed().keys() == at_once.removed().keys()
    assert len(old) > 8_000
    assert len(new) > 8_000


@pytest.mark.engine
@pytest.mark.parametrize(
    ("engine", "workers", "batch_rows"),
    [("local", 1, 7), ("local", 2, 1), ("local", 4, None), ("spark", None, 7), ("beam", None, None)],
)
def test_the_survivors_of_the_truth_set_are_equal_everywhere(
    documents: dict[str, Document],
    neighbors: Neighbors,
    tmp_path: Path,
    engine: str,
    workers: int | None,
    batch_rows: int | None,
) -> None:
    """Neither engine, workers, files, rows nor batches may decide which document stays."""
    project = Project(tmp_path, recipe=RECIPE.replace("KEEP", "oldest"), incremental=False)
    write(project, list(documents.values()), name="all", files=3, seed=len(engine) + (workers or 0))
    made = make_engine(engine, workers=workers)
    try:
        project.run(engine=made, batch_rows=batch_rows)
    finally:
        made.close()

    assert project.kept() == survivors(documents, neighbors, "oldest")
