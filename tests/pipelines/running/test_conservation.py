"""The input of a stage is in its output or in the ledger, in documents and bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from corpusmill.pipelines.engines.plan import Plan
from corpusmill.pipelines.engines.store import StepResult
from corpusmill.pipelines.engines.tasks import TaskResult, built
from corpusmill.pipelines.planning.plan import CorpusPlan
from corpusmill.pipelines.running.conservation import check_laws, stage_counts
from corpusmill.pipelines.stages.base import TEXT_CUT
from corpusmill.pipelines.stages.pii import Pii
from corpusmill.schemas.document import DOCUMENT
from corpusmill.schemas.errors import ConservationError
from corpusmill.schemas.manifest import StageCounts
from tests.test_promises import run_once

PLAN = CorpusPlan(
    plan=Plan(()),
    laws=("read", "words", "copies"),
    compared=frozenset({"copies"}),
    written=(),
    schema=DOCUMENT,
    views=(),
)
WRITTEN = {"published": 6, "published_bytes": 54, "ledger": 5}


def step(name: str, *tasks: dict[str, int]) -> StepResult:
    """Return a finished step whose tasks have the counters *tasks*."""
    nothing = {"fingerprint": "", "slice": 0, "rows": 0, "bytes": 0, "slices": [], "batch_rows": [], "column_bytes": {}}
    costs = {"files": {}, "cpu_s": 0.0, "wall_s": 0.0, "peak_mb": 0.0, "sides": {}}
    results = tuple(
        TaskResult.from_dict(
            {**nothing, **costs, "step": name, "kind": "map", "partition": number, "counters": counters}
        )
        for number, counters in enumerate(tasks)
    )
    return StepResult(name=name, fingerprint="", stage=None, tasks=results, computed=0)


def finished() -> dict[str, StepResult]:
    """Return the steps of a run of 10 records: a stage rejects 2, creates 1 row and cuts text; 2 are copies."""
    read = {"documents_in": 10, "documents_out": 10, "bytes_added": 100, "bytes_out": 100}
    words = [
        {"documents_in": 5, "documents_out": 4, "ledger": 1, "bytes_in": 50, "bytes_out": 40, "bytes_ledger": 10},
        {"documents_in": 5, "documents_out": 4, "ledger": 1, "bytes_in": 50, "bytes_out": 35, "bytes_ledger": 10},
    ]
    rules = [{"rule/words.few": 1}, {"rule/words.many": 1, "bytes_cut": 5}]
    pieces = {"created": 1, "ledger": 1, "bytes_added": 5, "bytes_ledger": 5, "rule/words.piece": 1}
    copies = {"ledger": 2, "bytes_ledger": 21, "rule/copy": 2}
    steps = [
        step("extract", {**counted("read", read), "read/source": 10}),
        step("words.pieces", counted("words", pieces)),
        step("words", *(counted("words", one | other) for one, other in zip(words, rules, strict=True))),
        step("copies.decisions", counted("copies", copies)),
    ]
    return {one.name: one for one in steps}


def counted(stage: str, figures: dict[str, int]) -> dict[str, int]:
    """Return *figures* with the names of a task's counters."""
    return {f"law/{stage}/{name}": number for name, number in figures.items()}


def test_the_counts_of_a_stage_are_the_sum_over_its_tasks() -> None:
    """The sum does not depend on workers or on the steps of the stage."""
    read, words, _ = stage_counts(PLAN, finished())

    assert (read.documents_in, read.documents_out, read.bytes_added, read.bytes_out) == (10, 10, 100, 100)
    assert (words.documents_in, words.created, words.documents_out, words.ledger) == (10, 1, 8, 3)
    assert (words.bytes_in, words.bytes_added, words.bytes_out, words.bytes_ledger, words.bytes_cut) == (
        *(100, 5, 75, 25),
        5,
    )
    assert words.rules == {"words.few": 1, "words.many": 1, "words.piece": 1}


def test_the_input_of_a_comparing_stage_is_the_output_before_it() -> None:
    """Such a stage reads narrow rows and never the documents that pass."""
    _, words, copies = stage_counts(PLAN, finished())

    assert (copies.documents_in, copies.bytes_in) == (words.documents_out, words.bytes_out)
    assert (copies.documents_out, copies.bytes_out, copies.rules) == (6, 54, {"copy": 2})


def test_a_stage_without_documents_has_counts_of_zero() -> None:
    """A recipe with an empty source results in an empty version."""
    counts = stage_counts(PLAN, {})

    assert [(stage.name, stage.documents_in, stage.documents_out) for stage in counts] == [
        *[("read", 0, 0), ("words", 0, 0)],
        ("copies", 0, 0),
    ]
    check_laws(counts, published=0, published_bytes=0, ledger=0)


def test_correct_counts_pass() -> None:
    """The counts match in each stage, between stages, and in the files."""
    check_laws(stage_counts(PLAN, finished()), **WRITTEN)


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        (1, {"documents_out": 7}, "stage words: in is not out"),
        (1, {"bytes_cut": 6}, "stage words: in is not out"),
        (1, {"rules": {"words.few": 1}}, "stage words: in is not out"),
        (
            1,
            {"documents_in": 9, "documents_out": 7},
            "read put out and words took in different numbers of documents: 10 and 9",
        ),
        (
            1,
            {"bytes_in": 99, "bytes_out": 74},
            "read put out and words took in different numbers of bytes of text: 100 and 99",
        ),
    ],
)
def test_a_document_or_byte_that_a_stage_lost_is_named(stage: int, changes: dict[str, Any], message: str) -> None:
    """The message has the stage of the loss."""
    counts = list(stage_counts(PLAN, finished()))
    counts[stage] = StageCounts.model_validate({**counts[stage].model_dump(), **changes})

    with pytest.raises(ConservationError, match=message):
        check_laws(tuple(counts), **WRITTEN)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"published": 5}, "the last stage put out and the shards hold different numbers of documents: 6 and 5"),
        ({"published_bytes": 55}, "the shards hold different numbers of bytes of text: 54 and 55"),
        ({"ledger": 4}, "stages rejected and the ledger holds different numbers of documents: 5 and 4"),
    ],
)
def test_files_that_hold_something_else_are_named(changes: dict[str, int], message: str) -> None:
    """The counters are compared with the written files."""
    with pytest.raises(ConservationError, match=message):
        check_laws(stage_counts(PLAN, finished()), **{**WRITTEN, **changes})


def test_a_run_whose_counts_do_not_add_up_fails(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run checks the written data: here, a stage silently loses a byte."""
    original = Pii.build

    def dishonest(self: Pii) -> Any:
        honest = original(self)

        def transform(batch: pa.RecordBatch) -> pa.RecordBatch:
            out = honest(batch)
            index = out.schema.get_field_index(TEXT_CUT)
            return out.set_column(index, out.schema.field(index), pc.add(out[TEXT_CUT], 1))

        return transform

    monkeypatch.setattr(Pii, "build", dishonest)
    built.cache_clear()  # earlier runs in this process cached the original function

    with pytest.raises(ConservationError, match="pii"):
        run_once(project, tmp_path)
    built.cache_clear()
    assert not list((tmp_path / "versions").glob("made/*/manifest.json"))
