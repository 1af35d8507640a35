"""Ids, hashes and shards: properties that a corpus on many machines depends on."""

import json
import math
import subprocess
import sys

import pyarrow as pa
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.identity import (
    ID_LENGTH,
    canonical_json,
    capture_hash,
    content_hash,
    document_id,
    first_64_bits,
    first_64_bits_column,
    row_hash,
    shard_count,
    shard_of,
)

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]))
exact_integers = st.integers(-(2**53) + 1, 2**53 - 1)
numbers = exact_integers | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)
ids = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")


@given(source=names, source_id=texts)
def test_a_document_id_is_128_bits_in_hexadecimal(source: str, source_id: str) -> None:
    """Other programs read ids as 32 hexadecimal characters."""
    result = document_id(source, source_id)

    assert len(result) == ID_LENGTH
    assert set(result) <= set("0123456789abcdef")


@given(one=st.tuples(names, texts), other=st.tuples(names, texts))
def test_documents_of_different_origin_have_different_ids(one: tuple[str, str], other: tuple[str, str]) -> None:
    """The separator distinguishes ``("ab", "c")`` from ``("a", "bc")``."""
    assert (document_id(*one) == document_id(*other)) == (one == other)


@given(text=texts, other=texts)
def test_a_content_hash_identifies_a_text(text: str, other: str) -> None:
    """Equal texts have equal hashes, and different texts have different ones."""
    assert (content_hash(text) == content_hash(other)) == (text == other)


def test_ids_are_the_same_in_another_process_with_another_hash_seed() -> None:
    """An id that depended on the process would change between two runs."""
    program = "from corpusmill.schemas.identity import *; print(document_id('s', 'é'), row_hash({'b': 1, 'a': [0.1]}))"

    printed = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert printed == {f"{document_id('s', 'é')} {row_hash({'a': [0.1], 'b': 1})}\n"}


@given(value=values)
def test_canonical_json_is_that_of_rfc_8785(value: object) -> None:
    """An independent implementation gives the same bytes, so anybody can verify a `record_sha256`."""
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(
    pieces=st.lists(
        st.text(max_size=40) | st.sampled_from(['"', "\\", "\\n", "\n", "\r\n", "\t", "\0", "\x1f", "\x7f", "\u2028"])
    )
)
def test_long_texts_are_quoted_like_short_ones(pieces: list[str]) -> None:
    """Long texts use a faster algorithm."""
    text = ("".join(pieces) + "padding " * 10).encode(errors="ignore").decode()

    assert canonical_json(text) == rfc8785.dumps(text) == json.dumps(text, ensure_ascii=False).encode()
    assert canonical_json({text: text}) == rfc8785.dumps({text: text})


@given(value=values)
def test_canonical_json_reads_back_as_the_same_value(value: object) -> None:
    """The canonical form of a row loses nothing; JSON has only one kind of number."""
    assert json.loads(canonical_json(value), parse_int=float) == value


@given(value=st.integers(-(10**30), 10**30))
def test_large_integers_keep_all_digits(value: int) -> None:
    """Ids can be above 2^53, where RFC 8785 would round different ids to the same number."""
    assert canonical_json(value) == str(value).encode()


@given(row=st.dictionaries(texts, values, max_size=6), seed=st.randoms())
def test_the_order_of_fields_does_not_change_a_row(row: dict[str, object], seed: object) -> None:
    """The same row can have its fields in a different order in Parquet and JSON Lines."""
    items = list(row.items())
    seed.shuffle(items)  # type: ignore[attr-defined]

    assert row_hash(dict(items)) == row_hash(row)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"a": math.nan}, "\ud800", {"\udfff": 1}, object()])
def test_values_without_a_json_form_are_refused(value: object) -> None:
    """The hash of a value that cannot be serialized could not be verified."""
    with pytest.raises(ValueError):  # noqa: PT011, a UnicodeEncodeError is one and has its own words
        canonical_json(value)


def test_a_capture_hash_is_plain_sha256() -> None:
    """`sha256sum` of an archived body must give the same hash."""
    assert capture_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(documents=st.lists(ids, max_size=20), skip=st.integers(0, 5))
def test_the_first_bits_of_a_column_are_those_of_each_id(documents: list[str], skip: int) -> None:
    """Columns and single ids must agree on the shard, also if the column is a slice."""
    column = pa.array(documents, pa.string()).slice(skip)

    assert first_64_bits_column(column).tolist() == [first_64_bits(document) for document in documents[skip:]]


@given(document=ids, shards=st.integers(1, 100_000))
def test_each_document_is_in_exactly_one_shard(document: str, shards: int) -> None:
    """The range of a shard contains the first 64 bits of the ids of its documents."""
    place = first_64_bits(document)

    holding = [
        shard
        for shard in {shard_of(document, shards) + off for off in (-1, 0, 1)}
        if shard << 64 <= place * shards < (shard + 1) << 64
    ]

    assert holding == [shard_of(document, shards)]
    assert 0 <= holding[0] < shards


@given(documents=st.lists(ids, max_size=50), shards=st.integers(1, 1000))
def test_shards_laid_end_to_end_are_in_the_order_of_ids(documents: list[str], shards: int) -> None:
    """A reader of the shards in order sees sorted ids."""
    ordered = sorted(documents)

    numbers_of_shards = [shard_of(document, shards) for document in ordered]

    assert numbers_of_shards == sorted(numbers_of_shards)


@given(document=ids, shards=st.integers(1, 1000), times=st.integers(1, 20))
def test_a_multiple_of_the_shards_splits_each_shard(document: str, shards: int, times: int) -> None:
    """Shard *i* becomes the shards from *i* x times to (*i* + 1) x times - 1, without mixing."""
    assert shard_of(document, shards * times) // times == shard_of(document, shards)


@given(size=st.integers(0, 10**15), target=st.integers(1, 10**12))
def test_the_number_of_shards_is_the_least_that_keeps_to_the_target(size: int, target: int) -> None:
    """The average shard has at most `target` bytes, and with one shard fewer it would have more."""
    count = shard_count(size, target)

    assert count >= 1
    assert count * target >= size
    assert count == 1 or (count - 1) * target < size
