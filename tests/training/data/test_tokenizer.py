"""The tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.errors import SourceError, UsageError
from corpusmill.training.data import load_tokenizer, train_tokenizer
from corpusmill.training.data.tokenizer import END_OF_TEXT
from tests.training.corpora import drawn_texts, write_shard


def test_the_same_texts_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order of documents and files: a tokenizer is part of what makes a run repeatable."""
    texts = drawn_texts(50)
    write_shard(tmp_path / "a" / "one.parquet", texts)
    write_shard(tmp_path / "b" / "one.parquet", texts[:20:-1])
    write_shard(tmp_path / "b" / "two.parquet", texts[20::-1])

    for name in ("a", "b"):
        train_tokenizer(tmp_path / name, vocabulary_size=400, out=tmp_path / name)

    first, second = ((tmp_path / name / "tokenizer.json").read_bytes() for name in ("a", "b"))
    assert first == second


@given(text=st.text())
def test_any_text_comes_back(tokenizer_dir: Path, text: str) -> None:
    """Bytes are the alphabet: nothing is unknown, nothing is normalized away."""
    tokenizer = load_tokenizer(tokenizer_dir)

    ids = tokenizer.encode(text, add_special_tokens=False).ids

    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_text_cannot_forge_the_end_of_text(tokenizer_dir: Path) -> None:
    """A page that quotes the special token must not end a document."""
    tokenizer = load_tokenizer(tokenizer_dir)

    ids = tokenizer.encode(f"a {END_OF_TEXT} b", add_special_tokens=False).ids

    assert tokenizer.token_to_id(END_OF_TEXT) not in ids


def test_the_lineage_names_the_version(version_dir: Path, tmp_path: Path) -> None:
    """A tokenizer without origin cannot be audited."""
    lineage = train_tokenizer(version_dir, vocabulary_size=280, out=tmp_path)

    assert lineage["version"] == "0123456789abcdef"
    assert lineage["vocabulary_size"] <= 280
    written = json.loads((tmp_path / "tokenizer-lineage.json").read_text())
    assert written == lineage | {"path": "tokenizer.json"}


def test_a_split_without_text_is_refused(tmp_path: Path) -> None:
    """Otherwise the result would be a tokenizer of single bytes."""
    write_shard(tmp_path / "one.parquet", ["", None])

    with pytest.raises(SourceError, match="has no text"):
        train_tokenizer(tmp_path, out=tmp_path)


def test_too_small_a_vocabulary_is_refused(corpus_dir: Path, tmp_path: Path) -> None:
    """The bytes alone need 256 ids."""
    with pytest.raises(UsageError, match="below 257"):
        train_tokenizer(corpus_dir, vocabulary_size=100, out=tmp_path)


@pytest.mark.parametrize(
    "content", ["{}", "no json", '{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}']
)
def test_what_is_no_tokenizer_is_refused_by_name(tmp_path: Path, content: str) -> None:
    """The error of the library names neither the file nor a remedy."""
    (tmp_path / "tokenizer.json").write_text(content)

    with pytest.raises(UsageError, match=r"not a tokenizer|has no token"):
        load_tokenizer(tmp_path)
