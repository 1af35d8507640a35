"""Running a stage: every row comes back and every byte is accounted for, whatever the stage does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import with_columns_of
from corpusmill.pipelines.engines.context import TaskContext, running, task
from corpusmill.pipelines.stages.apply import apply, columns_read
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, SideTable, Stage, Transform, reject
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.errors import DataError, SourceError, WorkError
from corpusmill.schemas.storage import LocalStore


class Odd(Stage):
    """Rejects texts of odd length, measures the others, and raises on some words."""

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("odd.length", pa.int64()),)

    def build(self) -> Transform:
        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            texts = batch["text"].to_pylist()
            if any("BUG" in text for text in texts):
                raise ZeroDivisionError("a bug in a stage")
            if any("DEEP" in text for text in texts):
                raise DataError("too deep", kind="too_deep")
            lengths = pa.array([len(text) for text in texts], pa.int64())
            batch = batch.append_column("odd.length", lengths)
            mask = np.array([len(text) % 2 == 1 for text in texts])
            return reject(batch, mask, rule="odd.length", value=lengths.cast(pa.float64()), threshold=2)

        return transform


class Loses(Stage):
    """Drops its first row, which no stage may do."""

    def build(self) -> Transform:
        return lambda batch: batch.slice(1)


class Shouts(Stage):
    """Adds a mark to every text; *honest* decides whether it reports the bytes."""

    honest: bool = True

    def changes(self) -> tuple[str, ...]:
        return ("text",)

    def build(self) -> Transform:
        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            index = batch.schema.get_field_index("text")
            batch = batch.set_column(index, "text", pc.binary_join_element_wise(batch["text"], "!", ""))
            added = pa.array([1 if self.honest else 0] * batch.num_rows, pa.int64())
            return batch.append_column(TEXT_ADDED, added).append_column(TEXT_CUT, pc.multiply(added, 0))

        return transform


def captures(*texts: str | None, rule: str | None = None) -> pa.RecordBatch:
    rows = [
        {
            "id": f"{index:032x}",
            "source": "s",
            "source_id": str(index),
            "record_sha256": f"{index:064x}",
            "text": text,
            "text_bytes": len((text or "").encode()),
            "rule": "earlier.rule" if text is None else rule,
            "stage": "earlier" if text is None else None,
        }
        for index, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CAPTURE)


def applied(stage: Stage, batch: pa.RecordBatch, folder: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    context = TaskContext(LocalStore(folder), "task", partition=0)
    with running(context):
        out = apply(stage.build(), batch.select(list(columns_read(stage))), name="odd", stage=stage)
    assert out.num_rows == batch.num_rows
    return with_columns_of(batch, out).to_pylist(), dict(context.counters)


@given(texts=st.lists(st.none() | st.sampled_from(["ab", "abc", "BUG", "a DEEP hole", "ünï", ""]), max_size=12))
def test_in_is_out_and_ledger_whatever_a_stage_stumbles_over(texts: list[str | None]) -> None:
    """With any mixture of bugs, data errors and verdicts, no row is lost and no byte uncounted."""
    rows, counters = applied(Odd(), captures(*texts), Path("/tmp"))

    alive = [text for text in texts if text is not None]
    law = {name.removeprefix("law/odd/"): n for name, n in counters.items()}
    assert [row["id"] for row in rows] == [f"{index:032x}" for index in range(len(texts))]
    assert law.get("documents_in", 0) == len(alive) == law.get("documents_out", 0) + law.get("ledger", 0)
    assert law.get("bytes_in", 0) == law.get("bytes_out", 0) + law.get("bytes_ledger", 0)
    for row, text in zip(rows, texts, strict=True):
        expected = {None: "earlier.rule", "BUG": "error.unexpected", "a DEEP hole": "error.too_deep"}.get(
            text, "odd.length" if text is not None and len(text) % 2 else None
        )
        assert row["rule"] == expected
        assert row["text"] == text


def test_a_verdict_names_stage_value_and_bound(tmp_path: Path) -> None:
    """The ledger must have the numbers behind a verdict, and other rows must not change."""
    rows, _ = applied(Odd(), captures("abc", "ab"), tmp_path)

    assert [rows[0][name] for name in ("stage", "value", "threshold", "text_bytes")] == ["odd", 3.0, 2.0, 3]
    assert [rows[1][name] for name in ("stage", "rule", "value")] == [None, None, None]


class Forgets(Stage):
    """Adds a column that it does not declare."""

    def build(self) -> Transform:
        return lambda batch: batch.append_column("forgotten", pa.array([1] * batch.num_rows))


def test_a_column_that_is_not_declared_is_an_error_that_names_the_stage(tmp_path: Path) -> None:
    """Otherwise the column would be dropped silently."""
    with pytest.raises(WorkError, match="stage odd returned the column 'forgotten', which it does not declare"):
        applied(Forgets(), captures("a"), tmp_path)


class Promises(Stage):
    """Declares a column that it does not add."""

    def adds(self) -> tuple[pa.Field, ...]:
        return (pa.field("promised", pa.int64()),)

    def build(self) -> Transform:
        return lambda batch: batch


def test_a_column_that_is_declared_and_missing_is_an_error(tmp_path: Path) -> None:
    """A version would have an unexplained column of nulls."""
    with pytest.raises(WorkError, match="stage odd did not return the column 'promised'"):
        applied(Promises(), captures("a"), tmp_path)


class Peeks(Stage):
    """Reads a column that it does not declare."""

    def build(self) -> Transform:
        return lambda batch: reject(batch, pc.is_valid(batch["url"]), rule="peeks.url")


def test_a_column_that_is_read_without_declaring_it_is_no_broken_record(tmp_path: Path) -> None:
    """Otherwise every document would be rejected as `error.unexpected`, and an empty version published."""
    with pytest.raises(WorkError, match='Field "url" does not exist in schema') as caught:
        applied(Peeks(), captures("a", "b"), tmp_path)

    assert caught.value.hint == "declare the column in `reads()`"


def test_a_stage_that_loses_a_row_ends_the_run(tmp_path: Path) -> None:
    """This bug of a stage would otherwise go unnoticed."""
    with pytest.raises(WorkError, match="stage odd returned 1 rows for 2"):
        applied(Loses(), captures("a", "b"), tmp_path)


@pytest.mark.parametrize("honest", [True, False])
def test_added_text_is_what_the_stage_says(tmp_path: Path, honest: bool) -> None:
    """The engine counts totals and the stage its changes; the law needs both."""
    _, counters = applied(Shouts(honest=honest), captures("a", "bb"), tmp_path)

    balance = counters["law/odd/bytes_in"] + counters.get("law/odd/bytes_added", 0) - counters["law/odd/bytes_out"]
    assert (balance == 0) is honest


def test_an_error_that_the_user_must_solve_is_not_taken_for_a_bad_record(tmp_path: Path) -> None:
    """A missing model is not a property of a document."""

    class Broken(Stage):
        def build(self) -> Transform:
            def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
                raise SourceError("the model file is gone")

            return transform

    with pytest.raises(SourceError, match="model file"):
        applied(Broken(), captures("a", "b"), tmp_path)


class Listing(Stage):
    """Writes words to a side table, then raises on some of them."""

    def sides(self) -> dict[str, SideTable]:
        return {"words": SideTable(pa.schema([("id", pa.string()), ("word", pa.string())]))}

    def build(self) -> Transform:
        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            for row in batch.to_pylist():
                task().count("listed")
                task().emit("words", pa.record_batch({"id": [row["id"]], "word": [row["text"]]}))
                if "BUG" in row["text"]:
                    raise ZeroDivisionError("a bug in a stage")
            return batch

        return transform


def test_what_a_failed_attempt_emitted_and_counted_is_not_kept(tmp_path: Path) -> None:
    """A batch with a failing document is retried in halves, and no side row may be written twice."""
    texts = ["a", "b", "a BUG", "c", "d"]
    emitted: list[str] = []
    context = TaskContext(LocalStore(tmp_path), "task", partition=0)
    context.sides = {"words": lambda rows: emitted.extend(rows["word"].to_pylist())}
    stage = Listing()

    with running(context):
        out = apply(stage.build(), captures(*texts).select(list(columns_read(stage))), name="list", stage=stage)

    assert emitted == ["a", "b", "c", "d"]
    assert context.counters["listed"] == 4
    assert out["rule"].to_pylist() == [None, None, "error.unexpected", None, None]


def test_a_side_table_that_is_not_declared_stops_the_run(tmp_path: Path) -> None:
    """It is a bug of the stage, not of its documents."""
    stage = Listing()
    with (
        running(TaskContext(LocalStore(tmp_path), "task", partition=0)),
        pytest.raises(WorkError, match="the undeclared side table 'words'"),
    ):
        apply(stage.build(), captures("a").select(list(columns_read(stage))), name="list", stage=stage)
