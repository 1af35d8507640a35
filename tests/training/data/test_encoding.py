"""Texts to ids: tiktoken and `tokenizers` have to agree wherever tiktoken is used."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from corpusmill.training.data import load_tokenizer
from corpusmill.training.data.encoding import Encoder, tiktoken_encoding
from corpusmill.training.data.tokenizer import end_of_text

pytest.importorskip("tiktoken")


@pytest.fixture(scope="module")
def tokenizer(tokenizer_dir: Path) -> Tokenizer:
    return load_tokenizer(tokenizer_dir)


@pytest.fixture(scope="module")
def both(tokenizer: Tokenizer) -> tuple[Encoder, Encoder]:
    fast, slow = Encoder(tokenizer), Encoder(tokenizer, fast=False)
    assert fast.uses_tiktoken
    assert not slow.uses_tiktoken
    return fast, slow


def ids(encoder: Encoder, texts: list[str]) -> list[list[int]]:
    """Return the tokens of each of *texts*."""
    tokens, ends = encoder.encode(texts)
    starts = [0, *ends.tolist()]
    return [tokens[start:stop].tolist() for start, stop in zip(starts, ends.tolist(), strict=False)]


@settings(max_examples=300, deadline=None)
@given(texts=st.lists(st.text(), max_size=4))
def test_both_give_the_same_ids(both: tuple[Encoder, Encoder], texts: list[str]) -> None:
    """A cache made with one must serve a run that uses the other."""
    fast, slow = both

    assert ids(fast, texts) == ids(slow, texts)


@pytest.mark.slow
def test_both_cut_texts_alike_at_every_character_of_unicode(both: tuple[Encoder, Encoder]) -> None:
    """The libraries have tables of letters and numbers of their own."""
    fast, slow = both
    letters = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    for first in range(0, len(letters), 1 << 16):
        texts = [f"a{letter}1{letter} {letter}b\n{letter}!{letter}" for letter in letters[first : first + (1 << 16)]]
        assert ids(fast, texts) == ids(slow, texts)


@pytest.mark.parametrize("text", ["<|endoftext|>", "a<|endoftext|>b", "a" * 5000, " " * 5000, "\n" * 5000, "'s" * 3000])
def test_unusual_texts_are_ordinary_text(both: tuple[Encoder, Encoder], text: str) -> None:
    """Only the packer writes the special token, and long pieces without a break are encoded too."""
    fast, slow = both

    assert ids(fast, [text]) == ids(slow, [text])
    assert ids(fast, [text])[0].count(fast.encode([""])[0][0]) == 1


def test_each_text_ends_with_the_end_of_text(tokenizer: Tokenizer, both: tuple[Encoder, Encoder]) -> None:
    """Empty ones too: their end is their only token."""
    end = end_of_text(tokenizer)
    for encoder in both:
        tokens, ends = encoder.encode(["page", "", "crawl"])
        assert [tokens[stop - 1] for stop in ends] == [end, end, end]
        assert ends[1] - ends[0] == 1
        assert encoder.encode([])[0].tolist() == []


def test_an_encoder_can_be_sent_to_a_worker(both: tuple[Encoder, Encoder]) -> None:
    """The workers of a loader receive it pickled, with its choice."""
    for encoder in both:
        sent: Encoder = pickle.loads(pickle.dumps(encoder))
        assert sent.uses_tiktoken == encoder.uses_tiktoken
        assert ids(sent, ["crawl of each page"]) == ids(encoder, ["crawl of each page"])


def described(tokenizer: Tokenizer, **changes: Any) -> Tokenizer:
    """Return *tokenizer* with *changes* in its description; a dotted name is a path."""
    description = json.loads(tokenizer.to_str())
    for name, value in changes.items():
        *path, last = name.split("__")
        place = description
        for part in path:
            place = place[part]
        place[last] = value
    return Tokenizer.from_str(json.dumps(description))


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer__add_prefix_space": True},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"pre_tokenizer": None},
        {"model__dropout": 0.1},
    ],
)
def test_another_kind_of_tokenizer_is_left_to_its_library(tokenizer: Tokenizer, changes: dict[str, Any]) -> None:
    """tiktoken would give other ids, or none."""
    assert tiktoken_encoding(described(tokenizer, **changes)) is None


def test_merges_in_another_order_than_their_ids_are_left_to_the_library(tokenizer: Tokenizer) -> None:
    """tiktoken takes the order of the ids."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]

    assert tiktoken_encoding(described(tokenizer, model__merges=merges[::-1])) is None


def test_a_pattern_of_its_own_is_passed_on(tokenizer: Tokenizer, both: tuple[Encoder, Encoder]) -> None:
    """Later tokenizers cut texts with `Split` before `ByteLevel`."""
    pattern = {"type": "Split", "pattern": {"Regex": r"\d|\D+"}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    steps = {"type": "Sequence", "pretokenizers": [pattern, byte_level]}
    changed = load_tokenizer(described(tokenizer, pre_tokenizer=steps))
    fast, slow = Encoder(changed), Encoder(changed, fast=False)

    assert fast.uses_tiktoken
    assert ids(fast, ["page 10 of 42"]) == ids(slow, ["page 10 of 42"]) != ids(both[0], ["page 10 of 42"])
