from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.cuts import CUTS
from corpusmill.pipelines.stages.dedup.pieces.stage import LineDedup, ParagraphDedup
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.dedup.exchange import Contrary, compared
from tests.pipelines.stages.dedup.pieces import reference

LONG = "This paragraph is longer than the sixty characters that a heading may have."


def run_stage(
    captures: list[dict[str, Any]], stage: ParagraphDedup | LineDedup, how: Contrary | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]], dict[str, int]]:
    """Return the documents and the spans that were cut, by id, and the account."""
    how = how or Contrary()
    _, after = compared(table(captures), [(stage.kind, stage)], how)
    cuts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    side = how.sides.get((stage.kind, CUTS))
    for row in () if side is None else sorted(side.to_pylist(), key=lambda row: row["start"]):
        cuts[row["id"]].append(row)
    law = {name.removeprefix(f"law/{stage.kind}/"): number for name, number in how.counters.items()}
    return {row["id"]: row for row in after.to_pylist()}, cuts, law


def in_order(captures: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return ids and texts, the oldest first."""
    key = {row["id"]: (row["fetched_at"] is None, row["fetched_at"], row["id"]) for row in captures}
    return sorted(((row["id"], row["text"]) for row in captures), key=lambda one: key[one[0]])


@pytest.mark.parametrize("cls", [ParagraphDedup, LineDedup])
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    captures=reference.corpora(),
    max_documents=st.none() | st.integers(1, 4),
    min_characters=st.integers(1, 10),
    rows=st.sampled_from([1, 7, 1000]),
    parts=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_each_piece_stays_in_the_first_document_that_has_it(
    cls: type[ParagraphDedup | LineDedup],
    captures: list[dict[str, Any]],
    max_documents: int | None,
    min_characters: int,
    rows: int,
    parts: int,
    seed: int,
) -> None:
    """In any execution, texts, spans and keepers are those of a comparison of all pieces, and no byte is lost."""
    stage = cls(min_characters=min_characters, max_documents=max_documents)

    documents, cuts, law = run_stage(captures, stage, Contrary(rows=rows, parts=parts, seed=seed))

    ordered = in_order(captures)
    expected = reference.shared(ordered, stage.unit, min_characters=min_characters, max_documents=max_documents)
    for identity, text in ordered:
        (after, spans), keepers = expected[identity]
        row = documents[identity]
        is_empty = bool(spans) and not any(character.isalnum() for character in after)
        assert row["rule"] == (f"{stage.kind}.nothing_left" if is_empty else None)
        assert row["text"] == (text if is_empty else after)
        assert row[f"{stage.kind}.cut_bytes"] == len(text.encode()) - len(row["text"].encode())
        ends = [(len(text[:start].encode()), len(text[:end].encode())) for start, end in spans]
        assert sorted(ends) == [(cut["start"], cut["end"]) for cut in cuts[identity]]
        assert keepers == [cut["first_id"] for cut in cuts[identity]]
        assert [cut["rule"].rpartition(".")[2] for cut in cuts[identity]] == [
            "duplicate" if keeper else "boilerplate" for keeper in keepers
        ]
    assert law.get("bytes_in", 0) == sum(law.get(f"bytes_{way}", 0) for way in ("out", "ledger", "cut"))


def test_headings_stay_in_every_document_by_default() -> None:
    """Without "See also", the list behind it cannot be understood."""
    texts = [f"See also\n\n{LONG}\n\nText {n}." for n in range(3)]

    documents, _, _ = run_stage([capture(str(n), text, day=n) for n, text in enumerate(texts)], ParagraphDedup())

    assert [documents[document_id("test", str(n))]["text"] for n in range(3)] == [
        texts[0],
        "See also\n\nText 1.",
        "See also\n\nText 2.",
    ]


def test_what_a_document_repeats_itself_is_not_cut() -> None:
    """A refrain belongs to its song; another document loses all its copies."""
    captures = [
        capture("song", f"{LONG}\n\nverse\n\n{LONG}", day=0),
        capture("copy", f"{LONG}\n\nown\n\n{LONG}", day=1),
    ]

    documents, _, _ = run_stage(captures, ParagraphDedup())

    assert [documents[document_id("test", name)]["text"] for name in ("song", "copy")] == [captures[0]["text"], "own"]


def test_a_superseded_capture_keeps_nothing() -> None:
    """Its text is no longer in the corpus."""
    captures = [capture("a", LONG, day=0), capture("a", "changed", day=5), capture("b", f"{LONG}\n\nown", day=3)]

    _, cuts, law = run_stage(captures, ParagraphDedup())

    assert (dict(cuts), law["documents_in"]) == ({}, 2)


def test_samples_show_the_beginning_of_a_piece() -> None:
    """A paragraph of a megabyte must not be copied into the table."""
    long = "é" * 1_000
    captures = [capture("a", long, day=0), capture("b", f"  {long}\n\nown", day=1)]

    _, cuts, _ = run_stage(captures, ParagraphDedup())

    assert [cut["sample_text"] for cut in cuts[document_id("test", "b")]] == ["é" * 200]


def test_max_documents_is_bounded() -> None:
    """As many rows are held in memory."""
    with pytest.raises(ValidationError, match="less than or equal to 100000"):
        LineDedup(max_documents=10**9)


def test_a_line_that_all_documents_share_needs_little_memory() -> None:
    """The rows of a piece are streamed, in batches as they come."""
    stage = LineDedup(max_documents=100)
    share = stage.steps("line_dedup", Documents("documents", CAPTURE))[1].function.build()  # type: ignore[union-attr]
    size, number = 500, 100_000
    names = ("high", "low", "priority", "id", ":place", "number")

    def stream() -> Any:
        for start in range(0, number, size):
            rows = pa.array(range(start, start + size), pa.int64())
            zero = pa.repeat(0, size)
            yield pa.RecordBatch.from_arrays([zero, zero, rows, rows.cast(pa.string()), rows, zero], names=names)

    before = pa.total_allocated_bytes()
    held = cut = 0
    for batch in share(stream()):
        held = max(held, pa.total_allocated_bytes() - before)
        cut += batch.num_rows
        assert batch["first_id"].null_count == batch.num_rows

    assert cut == number
    assert held < 1_000_000
