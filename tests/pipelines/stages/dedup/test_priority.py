from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.base import Documents
from corpusmill.pipelines.stages.dedup.equality import Ranked
from corpusmill.pipelines.stages.dedup.exact import RULE, ExactDedup
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities, priority_columns
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.identity import document_id
from tests.pipelines.stages.dedup.corpus import capture, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates

SOURCES = ("wiki", "books")
SCHEMA = pa.schema([CAPTURE.field(name) for name in ("id", "fetched_at", "text_bytes", "source")])

rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text("abc", min_size=1, max_size=3),
            "fetched_at": st.none() | st.datetimes(timezones=st.just(UTC)),
            "text_bytes": st.integers(0, 5),
            "source": st.sampled_from(["books", "web", "wiki"]),
        }
    ),
    max_size=12,
)


def key(row: dict[str, Any], keep: Keep) -> float:
    """Return the place of *row* as the definition says it, slowly."""
    undated = row["fetched_at"] is None
    seconds = 0.0 if undated else (row["fetched_at"] - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    match keep:
        case "oldest":
            return math.inf if undated else seconds
        case "newest":
            return math.inf if undated else -seconds
        case "longest":
            return -row["text_bytes"]
        case "first_source":
            return SOURCES.index(row["source"]) if row["source"] in SOURCES else len(SOURCES)


@pytest.mark.parametrize("keep", get_args(Keep))
@given(rows=rows)
def test_priorities_sort_as_their_definition(keep: Keep, rows: list[dict[str, Any]]) -> None:
    """Which document stays must be predictable from the documentation alone."""
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA).select(list(priority_columns(keep)))

    order = priorities(batch, keep=keep, sources=SOURCES).to_pylist()

    assert sorted(range(len(rows)), key=lambda n: order[n]) == sorted(
        range(len(rows)), key=lambda n: key(rows[n], keep)
    )


def test_the_oldest_and_the_newest_date_do_not_overflow() -> None:
    """A column of a Parquet file can hold every 64-bit number."""
    ends = pa.array([-(2**63), 0, 2**63 - 2]).cast(CAPTURE.field("fetched_at").type)

    order = priorities(pa.record_batch({"fetched_at": ends}), keep="newest").to_pylist()

    assert order == sorted(order, reverse=True)


@pytest.mark.parametrize(("keep", "kept"), [("oldest", "a"), ("newest", "b"), ("first_source", "b")])
def test_exact_dedup_keeps_the_first_in_the_chosen_order(keep: Keep, kept: str) -> None:
    """`first_source` says "remove from the second source what is in the first"."""
    captures = [capture("a", "text", day=1, source="web"), capture("b", "text", day=2, source="books")]
    stage = ExactDedup(keep=keep)

    results = fates(table(captures), [("exact_dedup", stage)], Contrary(), sources=("books", "web"))

    assert {row["id"]: row["rule"] for row in results} == {
        document_id("test", name): None if name == kept else RULE for name in "ab"
    }


@pytest.mark.parametrize("keep", get_args(Keep))
def test_the_order_of_sources_is_part_of_an_address_only_where_it_decides(keep: Keep) -> None:
    """Otherwise a new source at the end of a recipe would invalidate every decision."""
    steps = ExactDedup(keep=keep).steps("exact_dedup", Documents("documents", CAPTURE, sources=SOURCES))

    function = steps[0].inputs[0].through  # type: ignore[union-attr]

    assert isinstance(function, Ranked)
    assert function.sources == (SOURCES if keep == "first_source" else ())
