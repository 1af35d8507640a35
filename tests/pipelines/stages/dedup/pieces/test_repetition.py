from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.stages.apply import Apply, columns_read
from corpusmill.pipelines.stages.cuts import CUTS
from corpusmill.pipelines.stages.dedup.pieces.repetition import LINE, PARAGRAPH, RepetitionDedup
from corpusmill.schemas.storage import LocalStore
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.dedup.pieces import reference

LONG = "A line of more than sixty characters, as no heading has, and as prose has."


def apply(
    captures: list[dict[str, Any]], stage: RepetitionDedup, rows: int
) -> tuple[list[Any], list[Any], dict[str, int]]:
    """Return the rows that the stage writes, the rows of its side table, and the account."""
    cuts: list[pa.RecordBatch] = []
    context = TaskContext(LocalStore("/nowhere"), "task", partition=0)
    context.sides = {CUTS: cuts.append}
    function = Apply.of("repetition_dedup", stage).build()
    with running(context):
        batches = [
            function(batch) for batch in table(captures).select(columns_read(stage)).to_batches(max_chunksize=rows)
        ]
    law = {name.removeprefix("law/repetition_dedup/"): number for name, number in context.counters.items()}
    return [row for batch in batches for row in batch.to_pylist()], [r for b in cuts for r in b.to_pylist()], law


def expected(text: str, stage: RepetitionDedup) -> tuple[reference.Cut, list[str]]:
    """Return the text without repetitions, and the rule of each line that is cut, by comparing one line at a time."""
    lines = reference.spans_of(text, "line")
    keys = reference.keys_of(text, "line", stage.min_characters)
    paragraphs = reference.spans_of(text, "paragraph")
    whole = reference.keys_of(text, "paragraph", stage.min_characters)
    rules: list[str | None] = []
    for place, (start, _) in enumerate(lines):
        paragraph = next(n for n, (first, last) in enumerate(paragraphs) if first <= start <= last)
        if stage.paragraphs and whole[paragraph] is not None and whole[paragraph] in whole[:paragraph]:
            rules.append(PARAGRAPH)
        else:
            is_line = stage.lines and keys[place] is not None and keys[place] in keys[:place]
            rules.append(LINE if is_line else None)
    return reference.cut(text, lines, [rule is not None for rule in rules]), [rule for rule in rules if rule]


@settings(deadline=None)
@given(
    texts=st.lists(reference.texts, max_size=5),
    lines=st.booleans(),
    paragraphs=st.booleans(),
    min_characters=st.integers(1, 10),
    rows=st.sampled_from([1, 7, 1000]),
)
def test_the_first_of_equal_pieces_stays(
    texts: list[str], lines: bool, paragraphs: bool, min_characters: int, rows: int
) -> None:
    """Texts, spans, rules and account are those of a slow comparison, and a document with words keeps some."""
    stage = RepetitionDedup(lines=lines, paragraphs=paragraphs, min_characters=min_characters)
    captures = [capture(str(n), text) for n, text in enumerate(texts)]

    result, cuts, law = apply(captures, stage, rows)

    assert len(result) == len(texts)
    for one, row, text in zip(captures, result, texts, strict=True):
        (after, spans), rules = expected(text, stage)
        assert row["text"] == after
        assert bool(re.search(r"\w", after)) == bool(re.search(r"\w", text))
        own = [cut for cut in cuts if cut["id"] == one["id"]]
        ranges = [(len(text[:start].encode()), len(text[:end].encode())) for start, end in spans]
        assert [(cut["start"], cut["end"], cut["rule"]) for cut in own] == [
            (*span, rule) for span, rule in zip(ranges, rules, strict=True)
        ]
        assert {cut["first_id"] for cut in own} <= {one["id"]}
    assert law.get("bytes_in", 0) == law.get("bytes_out", 0) + law.get("bytes_cut", 0)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (f"{LONG}\nnext\n{LONG.upper()}\nlast", f"{LONG}\nnext\nlast"),
        (f"Notes\n{LONG}\n\nNotes\n{LONG}\n\nend", f"Notes\n{LONG}\n\nend"),
        ("Notes\n\nNotes", "Notes\n\nNotes"),
        (None, None),
    ],
)
def test_repetitions_are_cut_with_their_headings(text: str | None, after: str | None) -> None:
    """A short line stays, unless the whole paragraph with it is repeated."""
    result, _, _ = apply([capture("a", text)], RepetitionDedup(), 7)

    assert [row["text"] for row in result] == [after]
