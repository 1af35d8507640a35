"""Running a stage: whatever it does, every row comes back and every byte is accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.stages.apply import apply
from corpusmill.pipelines.stages.base import TEXT_ADDED, TEXT_CUT, MapStage, Transform, reject
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.errors import DataError, SourceError, WorkError


class Odd(MapStage):
    """Rejects texts of odd length, measures the others, and stumbles over some words."""

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


class Loses(MapStage):
    """Drops its first row: what no stage may do."""

    def build(self) -> Transform:
        return lambda batch: batch.slice(1)


class Shouts(MapStage):
    """Adds a mark to every text; *honest* says whether it tells."""

    changes_text: ClassVar[bool] = True
    honest: bool = True

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
            "rule": "earlier.rule" if text is None else rule,
            "stage": "earlier" if text is None else None,
        }
        for index, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CAPTURE)


def applied(stage: MapStage, batch: pa.RecordBatch, folder: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    context = TaskContext(folder / "task", partition=0, attempt="a")
    with running(context):
        out = apply(stage.build(), batch, name="odd", stage=stage)
    return sorted(out.to_pylist(), key=lambda row: row["id"]), dict(context.counters)


@given(texts=st.lists(st.none() | st.sampled_from(["ab", "abc", "BUG", "a DEEP hole", "ünï", ""]), max_size=12))
def test_in_is_out_and_ledger_whatever_a_stage_stumbles_over(texts: list[str | None]) -> None:
    """Bugs, data errors and verdicts in any mixture: no row is lost, no byte is uncounted."""
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
        assert (row["text"] is None) == (expected is not None)


def test_a_rejected_document_of_every_fourth_keeps_a_sample(tmp_path: Path) -> None:
    """Somebody who asks why gets to see what; the choice is a function of the id."""
    rows, _ = applied(Odd(), captures("abc", "ab"), tmp_path)

    assert rows[0]["sample_text"] == "abc"
    assert (rows[0]["value"], rows[0]["threshold"], rows[0]["text_bytes"]) == (3.0, 2.0, 3)
    assert rows[1]["sample_text"] is None


def test_a_stage_that_loses_a_row_ends_the_run(tmp_path: Path) -> None:
    """It is a mistake in the stage, which nobody would see otherwise."""
    with pytest.raises(WorkError, match="stage odd gave 1 rows for 2"):
        applied(Loses(), captures("a", "b"), tmp_path)


@pytest.mark.parametrize("honest", [True, False])
def test_added_text_is_what_the_stage_says(tmp_path: Path, honest: bool) -> None:
    """The engine counts the totals, the stage its changes: only together do they hold."""
    _, counters = applied(Shouts(honest=honest), captures("a", "bb"), tmp_path)

    balance = counters["law/odd/bytes_in"] + counters.get("law/odd/bytes_added", 0) - counters["law/odd/bytes_out"]
    assert (balance == 0) is honest


def test_an_error_that_the_user_must_solve_is_not_taken_for_a_bad_record(tmp_path: Path) -> None:
    """A missing model is no property of a document."""

    class Broken(MapStage):
        def build(self) -> Transform:
            def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
                raise SourceError("the model file is gone")

            return transform

    with pytest.raises(SourceError, match="model file"):
        applied(Broken(), captures("a", "b"), tmp_path)
