"""Ids, hashes and shard ranges: the laws that a corpus on many machines rests on."""

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
    found = document_id(source, source_id)

    assert len(found) == ID_LENGTH
    assert set(found) <= set("0123456789abcdef")


@given(one=st.tuples(names, texts), other=st.tuples(names, texts))
def test_documents_of_different_origin_have_different_ids(one: tuple[str, str], other: tuple[str, str]) -> None:
    """The separator keeps ``("ab", "c")`` and ``("a", "bc")`` apart."""
    assert (document_id(*one) == document_id(*other)) == (one == other)


@given(text=texts, other=texts)
def test_a_content_hash_tells_what_a_document_says(text: str, other: str) -> None:
    """Equal texts have equal hashes, and only they."""
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
    """Somebody else's implementation gives the same bytes, so anybody can check a `record_sha256`."""
    assert canonical_json(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(
    pieces=st.lists(
        st.text(max_size=40) | st.sampled_from(['"', "\\", "\\n", "\n", "\r\n", "\t", "\0", "\x1f", "\x7f", "\u2028"])
    )
)
def test_long_texts_are_quoted_as_short_ones_are(pieces: list[str]) -> None:
    """They take a way of their own, for speed."""
    text = ("".join(pieces) + "padding " * 10).encode(errors="ignore").decode()

    assert canonical_json(text) == rfc8785.dumps(text) == json.dumps(text, ensure_ascii=False).encode()
    assert canonical_json({text: text}) == rfc8785.dumps({text: text})


@given(value=values)
def test_canonical_json_reads_back_as_the_same_value(value: object) -> None:
    """Nothing of a row is lost in its canonical form; in JSON all numbers are of one kind."""
    assert json.loads(canonical_json(value), parse_int=float) == value


@given(value=st.integers(-(10**30), 10**30))
def test_large_integers_keep_all_digits(value: int) -> None:
    """Ids of records are often beyond 2^53, where RFC 8785 would round two of them to one."""
    assert canonical_json(value) == str(value).encode()


@given(row=st.dictionaries(texts, values, max_size=6), seed=st.randoms())
def test_the_order_of_fields_does_not_change_a_row(row: dict[str, object], seed: object) -> None:
    """Parquet and JSON Lines give the same row in other orders of columns."""
    items = list(row.items())
    seed.shuffle(items)  # type: ignore[attr-defined]

    assert row_hash(dict(items)) == row_hash(row)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"a": math.nan}, "\ud800", {"\udfff": 1}, object()])
def test_values_without_a_json_form_are_refused(value: object) -> None:
    """A hash of something that cannot be written down could never be checked."""
    with pytest.raises(ValueError):  # noqa: PT011, a UnicodeEncodeError is one and has its own words
        canonical_json(value)


def test_a_capture_hash_is_plain_sha256() -> None:
    """`sha256sum` on an archived body has to give the same."""
    assert capture_hash(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(documents=st.lists(ids, max_size=20), skip=st.integers(0, 5))
def test_the_first_bits_of_a_column_are_those_of_each_id(documents: list[str], skip: int) -> None:
    """Whole columns and single ids have to agree on the shard, also where a column is a slice of another."""
    column = pa.array(documents, pa.string()).slice(skip)

    assert first_64_bits_column(column).tolist() == [first_64_bits(document) for document in documents[skip:]]


@given(document=ids, shards=st.integers(1, 100_000))
def test_each_document_lies_in_exactly_one_shard(document: str, shards: int) -> None:
    """The shard of a document is the one whose range holds the first 64 bits of its id."""
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
    """A reader that walks the shards in order sees sorted ids."""
    ordered = sorted(documents)

    numbers_of_shards = [shard_of(document, shards) for document in ordered]

    assert numbers_of_shards == sorted(numbers_of_shards)


@given(document=ids, shards=st.integers(1, 1000), times=st.integers(1, 20))
def test_more_shards_cut_shards_into_parts_and_never_mix_them(document: str, shards: int, times: int) -> None:
    """With a multiple of the shards, shard *i* falls into the shards from *i* x times on."""
    assert shard_of(document, shards * times) // times == shard_of(document, shards)


@given(size=st.integers(0, 10**15), target=st.integers(1, 10**12))
def test_the_number_of_shards_is_the_least_that_keeps_to_the_target(size: int, target: int) -> None:
    """On average a shard holds at most `target` bytes, and one shard less would hold more."""
    count = shard_count(size, target)

    assert count >= 1
    assert count * target >= size
    assert count == 1 or (count - 1) * target < size
