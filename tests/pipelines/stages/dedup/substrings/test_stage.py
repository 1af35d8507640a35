from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.engines.base import Scan
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.cuts import CUTS
from corpusmill.pipelines.stages.dedup.substrings.cutting import NOTHING_LEFT, REPEATED
from corpusmill.pipelines.stages.dedup.substrings.stage import SubstringDedup
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, prose, table
from tests.pipelines.stages.dedup.exchange import Contrary
from tests.pipelines.stages.dedup.substrings.reference import order, texts_left
from tests.pipelines.stages.dedup.substrings.texts import captures_of, shared_texts
from tests.pipelines.stages.dedup.test_on_the_engine import ReadFile

NAME = "substring_dedup"
Rows = list[dict[str, Any]]


def run_in_memory(captures: Rows, min_bytes: int, how: Contrary) -> tuple[Rows, Rows]:
    """Return the documents and the rows of the side table."""
    steps = SubstringDedup(min_bytes=min_bytes).steps(NAME, Documents("documents", CAPTURE))
    documents = how.run(steps, {"documents": table(captures)})[NAME].to_pylist()
    cuts = how.sides[NAME, CUTS].to_pylist()
    return documents, sorted(cuts, key=lambda row: (row["id"], row["start"]))


@settings(max_examples=150, deadline=None)
@given(
    captures=captures_of(shared_texts()),
    min_bytes=st.sampled_from([8, 9, 13, 20, 40]),
    parts=st.integers(1, 3),
    rows=st.sampled_from([1, 7, 1000]),
    seed=st.integers(0, 999),
)
def test_what_is_left_is_what_the_definition_says(
    captures: Rows, min_bytes: int, parts: int, rows: int, seed: int
) -> None:
    """For any corpus, partitions, batches and order of rows, exactly the windows that occur earlier are cut."""
    how = Contrary(parts=parts, rows=rows, seed=seed)

    documents, cuts = run_in_memory(captures, min_bytes, how)

    left = texts_left(captures, min_bytes)
    for row in documents:
        if row["rule"] is None:
            assert row["text"] == left[row["id"]]
            assert (
                row[f"{NAME}.cut_bytes"] == row["text_bytes"] * 0 + len(before(captures, row["id"])) - row["text_bytes"]
            )
        else:
            assert (row["rule"], left[row["id"]].strip()) == (NOTHING_LEFT, "")
            assert row["text"].encode() == before(captures, row["id"])
    assert (documents, cuts) == run_in_memory(captures, min_bytes, Contrary(parts=1, rows=1000))
    assert_account_holds(how.counters)


def before(captures: Rows, identity: str) -> bytes:
    return next((one["text"] or "").encode() for one in captures if one["id"] == identity)


def assert_account_holds(counters: dict[str, int]) -> None:
    law = {name.removeprefix(f"law/{NAME}/"): number for name, number in counters.items()}
    law = dict.fromkeys(("documents_in", "documents_out", "ledger", "bytes_in", "bytes_out"), 0) | law
    assert law["documents_in"] == law["documents_out"] + law["ledger"]
    assert law["bytes_in"] == law["bytes_out"] + law.get("bytes_ledger", 0) + law.get("bytes_cut", 0)


@settings(max_examples=100, deadline=None)
@given(captures=captures_of(shared_texts()), min_bytes=st.sampled_from([8, 13, 40]))
def test_the_side_table_has_every_byte_that_was_cut_and_where_it_is_kept(captures: Rows, min_bytes: int) -> None:
    """The rows of a document, taken out of its text, leave the text; each begins like an earlier place."""
    documents, cuts = run_in_memory(captures, min_bytes, Contrary())

    known = {one["id"]: one for one in captures}
    left = texts_left(captures, min_bytes)
    for identity, one in known.items():
        text, kept, reached = (one["text"] or "").encode(), b"", 0
        for cut in (cut for cut in cuts if cut["id"] == identity):
            assert reached <= cut["start"] < cut["end"]
            kept, reached = kept + text[reached : cut["start"]], cut["end"]
            assert_occurs_earlier(cut, known)
        assert (kept + text[reached:]).decode() == left[identity]
    assert {row["id"] for row in documents if row["rule"]} <= {cut["id"] for cut in cuts}


def assert_occurs_earlier(cut: dict[str, Any], captures: dict[str, dict[str, Any]]) -> None:
    one, first = captures[cut["id"]], captures[cut["first_id"]]
    text, other = one["text"].encode(), first["text"].encode()
    assert text[cut["start"]] == other[cut["first_start"]]
    assert (*order(first), cut["first_start"]) < (*order(one), cut["start"])
    assert text[cut["start"] : cut["end"]].decode().strip().startswith(cut["sample_text"])
    assert cut["rule"] == REPEATED


WORDS = " ".join(prose(random.Random(1), 200))


def cut_of(*texts: str | None, days: tuple[int | None, ...] = (1, 2, 3), min_bytes: int = 100) -> tuple[Rows, Rows]:
    """Return documents named "0", "1", … and the side table."""
    captures = [capture(f"{n}", text, day=day) for n, (text, day) in enumerate(zip(texts, days, strict=False))]
    return run_in_memory(captures, min_bytes, Contrary())


def test_the_first_occurrence_stays_and_is_named() -> None:
    """A reader must be able to look up what was cut."""
    shared = WORDS[:300]

    documents, (cut,) = cut_of(f"one {shared} two", f"3: {shared}_four")

    assert [row["text"] for row in documents] == [f"one {shared} two", "3:_four"]
    assert (cut["id"], cut["first_id"]) == (document_id("test", "1"), document_id("test", "0"))
    assert (cut["start"], cut["end"], cut["first_start"]) == (2, 303, 3)


def test_the_oldest_document_is_the_first() -> None:
    """The same order as in the other stages that compare documents; a document without a date is the last."""
    documents, _ = cut_of(f"a{WORDS}", f"b{WORDS}", f"c{WORDS}", days=(None, 7, 2))

    assert [row["text"] for row in documents] == ["a", "b", f"c{WORDS}"]


def test_a_repeat_in_one_document_is_cut_there() -> None:
    """A document that says everything twice is not new the second time."""
    documents, (cut,) = cut_of(f"{WORDS} – {WORDS}!")

    assert documents[0]["text"] == f"{WORDS} – !"
    assert cut["first_id"] == cut["id"]


def test_of_a_phrase_that_repeats_itself_at_once_one_is_left() -> None:
    """Windows overlap, so each but the first occurs earlier."""
    documents, cuts = cut_of("spam " * 500, "a" * 500, "b" * 99)

    assert [row["text"] for row in documents] == ["spam ", "a", "b" * 99]
    assert [(cut["start"], cut["end"], cut["first_start"]) for cut in cuts if cut["first_id"] == cut["id"]] == [
        *([(1, 500, 0), (5, 2500, 0)] if cuts[0]["end"] == 500 else [(5, 2500, 0), (1, 500, 0)])
    ]


def test_a_stretch_that_is_one_byte_too_short_is_kept() -> None:
    """`min_bytes` is a promise."""
    texts = ("x" + WORDS[:100] + "y", "z" + WORDS[:100] + "w")

    assert cut_of(*texts, min_bytes=101)[1] == []
    assert len(cut_of(*texts, min_bytes=100)[1]) == 1


def test_documents_without_text_and_rejected_ones_pass_untouched() -> None:
    """A rejected document keeps no text from being published, and its verdict stays."""
    dead = capture("dead", WORDS, day=0, stage="quality", rule="quality.some")
    captures = [dead, capture("none", None), capture("blank", " \n"), capture("own", WORDS, day=5)]

    documents, cuts = run_in_memory(captures, 100, Contrary())

    assert [row["rule"] for row in documents] == ["quality.some", None, None, None]
    assert [row["text"] for row in documents] == [WORDS, None, " \n", WORDS]
    assert cuts == []


def test_a_document_with_nothing_of_its_own_is_rejected_as_it_was() -> None:
    """White space alone is not a document; the ledger must show what it said, and the side table why."""
    documents, (cut,) = cut_of(WORDS, f"\n\n{WORDS}  ")

    assert (documents[1]["rule"], documents[1]["value"]) == (NOTHING_LEFT, len(WORDS))
    assert documents[1]["text"] == f"\n\n{WORDS}  "
    assert (cut["start"], cut["end"]) == (2, 2 + len(WORDS))


def captures_for_engine() -> Rows:
    """Return documents with stretches of all lengths in common, some longer than a piece of the window hash."""
    chance = random.Random(5)
    shared = [" ".join(prose(chance, size)) for size in (12, 40, 90, 3000)]
    texts = []
    for _ in range(60):
        parts = [" ".join(prose(chance, chance.randrange(40))), chance.choice(shared), chance.choice(["", "é" * 300])]
        texts.append(" ".join(parts * chance.choice([1, 1, 2])))
    captures = [capture(f"{n}", text, day=chance.choice([None, 1, 2])) for n, text in enumerate([*texts, "", "a"])]
    return [*captures, capture("copy", shared[2], day=3)]


def run_on_engine(
    captures: Rows, folder: Path, *, files: int = 1, workers: int = 0, batch_rows: int | None = None
) -> tuple[Rows, Rows, dict[str, int]]:
    """Return the documents, the side table, and the account, from the real engine."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus, tasks = table(captures), []
    for number in range(files):
        path = folder / f"{number}.parquet"
        pq.write_table(corpus.take(pa.array(range(number, corpus.num_rows, files), pa.int64())), path)
        tasks.append(ScanTask(({"path": str(path)},), number))
    steps = SubstringDedup(min_bytes=100).steps(NAME, Documents("documents", CAPTURE))
    plan = Plan((Scan(name="documents", function=ReadFile(), schema=CAPTURE), *steps), {"documents": tasks})
    engine, store = LocalEngine(workers), TaskStore(folder)
    try:
        result = run_plan(plan, store, engine, observer=Silent(), batch_rows=batch_rows)
    finally:
        engine.close()
    columns = ("id", "text", "text_bytes", "stage", "rule", "value", f"{NAME}.cut_bytes")
    documents = [row for batch in read_table(plan, result, store, NAME, columns) for row in batch.to_pylist()]
    cuts = [row for batch in side_batches(store, result[NAME].tasks) for row in batch.to_pylist()]
    law = {name: number for name, number in result[NAME].counters.items() if name.startswith("law/")}
    return sorted(documents, key=lambda row: row["id"]), sorted(cuts, key=lambda row: (row["id"], row["start"])), law


def side_batches(store: TaskStore, tasks: Any) -> Iterator[pa.RecordBatch]:
    for task in tasks:
        yield from IpcFile(store.store, f"{store.out(task.fingerprint)}.{CUTS}.arrow").batches()


@pytest.mark.parametrize(
    ("files", "workers", "batch_rows"),
    [pytest.param(3, 0, 1, marks=pytest.mark.slow), (2, 0, 7), pytest.param(3, 2, None, id="processes")],
)
def test_files_workers_and_batches_change_nothing(
    tmp_path: Path, files: int, workers: int, batch_rows: int | None
) -> None:
    """Equal documents, side tables and account for any execution on the real engine, and as the definition says."""
    captures = captures_for_engine()
    expected = run_on_engine(captures, tmp_path / "plain")

    result = run_on_engine(captures[::-1], tmp_path / "other", files=files, workers=workers, batch_rows=batch_rows)

    assert result == expected
    left = texts_left(captures, 100)
    assert {row["id"]: row["text"] for row in result[0] if row["rule"] is None}.items() <= left.items()
    assert {row["rule"] for row in result[0]} == {None, NOTHING_LEFT}
    assert_account_holds(result[2])


@pytest.mark.parametrize("wrong", [{"min_bytes": 7}, {"min_bytes": 100_001}, {"min_words": 50}])
def test_parameters_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    """A window must have several grams, and a piece must fit the bits of a key."""
    with pytest.raises(ValidationError):
        SubstringDedup.model_validate_json(json.dumps(wrong), strict=True)
