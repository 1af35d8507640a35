"""The partition of a row is part of the contract: it may never change, nor differ between machines."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.partition import hash_column, partition_numbers
from corpusmill.schemas.splitmix import splitmix64

MASK = 2**64 - 1


def slow_hash(value: bytes) -> int:
    """Compute the polynomial hash by its definition."""
    multiplier = 0x9E3779B97F4A7C15
    total = sum((byte + 1) * pow(multiplier, place + 1, 2**64) for place, byte in enumerate(value)) & MASK
    return splitmix64(total ^ (len(value) * multiplier & MASK))


@given(values=st.lists(st.text(max_size=12), max_size=20), skip=st.integers(0, 5))
def test_the_hash_of_strings_is_the_polynomial_of_its_definition(values: list[str], skip: int) -> None:
    """Slices, empty strings and any Unicode must match the definition."""
    column = pa.array(values, pa.string()).slice(skip)

    assert hash_column(column).tolist() == [slow_hash(value.encode()) for value in values[skip:]]


@pytest.mark.parametrize("lengths", [[32], [32, 0, 5, 80]])
def test_a_long_column_is_hashed_in_pieces_with_the_same_result(lengths: list[int]) -> None:
    """Ids have equal lengths and addresses do not; neither may take many times its own memory."""
    values = [f"{number:x}".ljust(length, "-")[:length] for number in range(4_000) for length in lengths]

    hashes = hash_column(pa.array(values))

    assert hashes[::97].tolist() == [slow_hash(value.encode()) for value in values[::97]]


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_the_hash_of_numbers_is_splitmix64(values: list[int]) -> None:
    """The vectorized function and the plain one are the same permutation."""
    column = pa.array(values, pa.int64())

    assert hash_column(column).tolist() == [splitmix64(value & MASK) for value in values]


def test_known_partitions_do_not_move() -> None:
    """Golden vectors: a change would move every row of every exchange."""
    column = pa.array(["", "a", "document", "ä", "x" * 40])

    assert partition_numbers(column, 1000).tolist() == GOLDEN


GOLDEN = [535, 171, 635, 209, 129]


def test_a_null_key_is_refused() -> None:
    """Engines would place a null key differently."""
    with pytest.raises(ValueError, match="nulls"):
        hash_column(pa.array(["a", None]))
