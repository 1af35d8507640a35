"""Laws of packing."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.training.data.order import Cursor
from corpusmill.training.data.packing import pack

END = 0
token_lists = st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=12)


def placed(documents: list[list[int]], *, first: int = 0) -> list[tuple[Cursor, np.ndarray]]:
    return [(Cursor(row=row), np.array([*documents[row], END])) for row in range(first, len(documents))]


@given(documents=token_lists, length=st.integers(1, 16))
def test_no_token_is_lost_repeated_or_reordered(documents: list[list[int]], length: int) -> None:
    """Rows laid end to end are the documents laid end to end, minus an unfinished row."""
    stream = [token for document in documents for token in (*document, END)]

    rows = [row for row, _ in pack(placed(documents), sequence_length=length)]

    assert [int(token) for row in rows for token in row] == stream[: len(stream) // length * length]


@given(documents=token_lists, length=st.integers(1, 16))
def test_each_token_but_the_first_is_a_target_once(documents: list[list[int]], length: int) -> None:
    """With targets, rows overlap by one token: otherwise the first token of each row would never be learned."""
    stream = [token for document in documents for token in (*document, END)]

    rows = [row for row, _ in pack(placed(documents), sequence_length=length, targets=True)]

    assert all(len(row) == length + 1 for row in rows)
    assert [int(token) for row in rows for token in row[1:]] == stream[
        1 : max(0, len(stream) - 1) // length * length + 1
    ]


@given(documents=token_lists, length=st.integers(1, 16), stop=st.integers(0, 200), targets=st.booleans())
def test_packing_goes_on_from_any_cursor(documents: list[list[int]], length: int, stop: int, targets: bool) -> None:
    """A resumed run knows nothing but the cursor after a row."""
    rows = list(pack(placed(documents), sequence_length=length, targets=targets))
    stop = min(stop, len(rows))
    cursor = rows[stop - 1][1] if stop else Cursor()

    again = pack(placed(documents, first=cursor.row), sequence_length=length, skip=cursor.token, targets=targets)

    assert [row.tolist() for row, _ in again] == [row.tolist() for row, _ in rows[stop:]]
    assert [cursor.rows for _, cursor in rows] == list(range(1, len(rows) + 1))
