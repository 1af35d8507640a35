"""Texts to token ids, with tiktoken where it gives the ids of the tokenizer.

tiktoken encodes about four times as fast as `tokenizers` on one core. It can stand in for a byte-level BPE whose ids
are in the order of its merges: it merges the pair that gives the lowest id, and `tokenizers` the first pair in the list
of merges. In a trained tokenizer both are the same (`tests/training/data/test_encoding.py` compares them on all
characters of Unicode).
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from corpusmill.training.data.packing import Tokens
from corpusmill.training.data.tokenizer import end_of_text

if TYPE_CHECKING:
    import tiktoken

_GPT2_PATTERN: Final = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
"""The pieces that `ByteLevel` cuts texts into (Radford et al. 2019, `encoder.py`)."""


class Encoder:
    """Encodes texts with *tokenizer*.

    Args:
        tokenizer: The tokenizer, with the token ``<|endoftext|>``.
        fast: Use tiktoken if it is installed and gives equal ids.
    """

    def __init__(self, tokenizer: Tokenizer, *, fast: bool = True) -> None:
        self._tokenizer = tokenizer
        self._fast = fast
        self._end = np.array([end_of_text(tokenizer)], dtype=np.uint32)

    def __reduce__(self) -> tuple[Any, ...]:
        return Encoder, (self._tokenizer,), {"_fast": self._fast}

    @functools.cached_property
    def uses_tiktoken(self) -> bool:
        """Whether tiktoken encodes the texts."""
        return self._tiktoken is not None

    @functools.cached_property
    def _tiktoken(self) -> tiktoken.Encoding | None:
        return tiktoken_encoding(self._tokenizer) if self._fast else None

    def encode(self, texts: list[str]) -> tuple[Tokens, npt.NDArray[np.int64]]:
        """Return the tokens of *texts*, each followed by the end of text, and the number of tokens up to each end.

        Returns:
            Arrays of shape (tokens,) and (texts,).
        """
        if self._tiktoken is None:
            # Convert to arrays at once: an encoding takes far more memory than its ids.
            encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            parts = [np.array(encoding.ids, dtype=np.uint32) for encoding in encodings]
        else:
            parts = [self._tiktoken.encode_to_numpy(text, disallowed_special=()) for text in texts]
        lengths = np.array([len(part) + 1 for part in parts], dtype=np.int64)
        closed = [array for part in parts for array in (part, self._end)]
        return (np.concatenate(closed) if closed else self._end[:0]), np.cumsum(lengths)


def tiktoken_encoding(tokenizer: Tokenizer) -> tiktoken.Encoding | None:
    """Return the encoding of tiktoken that gives the ids of *tokenizer*; None if there is none, or no tiktoken."""
    try:
        import tiktoken
    except ModuleNotFoundError:
        return None
    description = json.loads(tokenizer.to_str())
    pattern, ranks = _pattern(description), _ranks(description)
    if pattern is None or ranks is None:
        return None
    return tiktoken.Encoding("corpusmill", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def _pattern(description: dict[str, Any]) -> str | None:
    """Return the regular expression of the pieces; None if texts are cut or changed in another way."""
    if description["normalizer"] is not None:
        return None
    steps = description["pre_tokenizer"] or {}
    steps = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    if not steps or steps[-1].get("type") != "ByteLevel" or steps[-1]["add_prefix_space"]:
        return None
    *before, last = steps
    if last["use_regex"]:
        return None if before else _GPT2_PATTERN
    match before:
        case [{"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"Regex": pattern}}]:
            return str(pattern)
    return None


def _ranks(description: dict[str, Any]) -> dict[bytes, int] | None:
    """Return the id of each token's bytes; None if the ids do not follow the order of the merges."""
    model = description["model"]
    plain = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    if model["type"] != "BPE" or any(model.get(name) not in (value, "", 0.0) for name, value in plain.items()):
        return None
    special = {token["content"] for token in description["added_tokens"]}
    if not all(token["special"] for token in description["added_tokens"]):
        return None
    merges = [pair if isinstance(pair, list) else pair.split(" ") for pair in model["merges"]]
    made = [model["vocab"].get(first + second) for first, second in merges]
    if None in made or made != sorted(set(made)):
        return None
    to_byte = byte_of_letter()
    tokens = [token for token in model["vocab"] if token not in special]
    if any(letter not in to_byte for token in tokens for letter in token):
        return None
    ranks = {bytes(to_byte[letter] for letter in token): model["vocab"][token] for token in tokens}
    # tiktoken needs every byte, and merges whatever is in the table: each longer token has to come from one merge.
    singles = sum(len(token) == 1 for token in ranks)
    return ranks if singles == 256 and singles + len(merges) == len(ranks) else None


@functools.cache
def byte_of_letter() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for.

    Printable characters of Latin-1 stand for themselves, the other bytes are numbered from U+0100 on (Radford et al.
    2019).
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
