"""Laws of packing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.training.data.order import Cursor
from corpusmill.training.data.packing import Bulk, pack

END = 0
token_lists = st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=12)
cuts_of_bulks = st.lists(st.integers(1, 11), max_size=4)


def bulks(documents: list[list[int]], *, first: int = 0, cuts: list[int] | None = None) -> list[Bulk]:
    """Return *documents* from *first* on, cut into bulks at the documents *cuts*."""
    bounds = sorted({first, len(documents), *(cut for cut in cuts or [] if first < cut < len(documents))})
    return [bulk(documents[start:stop], row=start) for start, stop in pairwise(bounds)]


def bulk(documents: list[list[int]], *, row: int) -> Bulk:
    tokens = [token for document in documents for token in (*document, END)]
    return Bulk(Cursor(row=row), np.array(tokens), np.cumsum([len(document) + 1 for document in documents]))


@given(documents=token_lists, length=st.integers(1, 16), cuts=cuts_of_bulks)
def test_no_token_is_lost_repeated_or_reordered(documents: list[list[int]], length: int, cuts: list[int]) -> None:
    """Rows laid end to end are the documents laid end to end, minus an unfinished row."""
    stream = [token for document in documents for token in (*document, END)]

    rows = [row for row, _ in pack(bulks(documents, cuts=cuts), sequence_length=length)]

    assert [int(token) for row in rows for token in row] == stream[: len(stream) // length * length]


@given(documents=token_lists, length=st.integers(1, 16))
def test_each_token_but_the_first_is_a_target_once(documents: list[list[int]], length: int) -> None:
    """With targets, rows overlap by one token: otherwise the first token of each row would never be learned."""
    stream = [token for document in documents for token in (*document, END)]

    rows = [row for row, _ in pack(bulks(documents), sequence_length=length, targets=True)]

    assert all(len(row) == length + 1 for row in rows)
    assert [int(token) for row in rows for token in row[1:]] == stream[
        1 : max(0, len(stream) - 1) // length * length + 1
    ]


@given(
    documents=token_lists,
    length=st.integers(1, 16),
    stop=st.integers(0, 200),
    targets=st.booleans(),
    cuts=cuts_of_bulks,
)
def test_packing_goes_on_from_any_cursor(
    documents: list[list[int]], length: int, stop: int, targets: bool, cuts: list[int]
) -> None:
    """A resumed run knows nothing but the cursor after a row, and reads in other bulks."""
    rows = list(pack(bulks(documents), sequence_length=length, targets=targets))
    stop = min(stop, len(rows))
    cursor = rows[stop - 1][1] if stop else Cursor()

    rest = bulks(documents, first=cursor.row, cuts=cuts)
    again = list(pack(rest, sequence_length=length, skip=cursor.token, targets=targets))

    assert [row.tolist() for row, _ in again] == [row.tolist() for row, _ in rows[stop:]]
    assert [cursor._replace(rows=0) for _, cursor in again] == [cursor._replace(rows=0) for _, cursor in rows[stop:]]
    assert [cursor.rows for _, cursor in rows] == list(range(1, len(rows) + 1))
