"""Where words begin in a sequence of tokens.

Shapes: B rows, S tokens, V vocabulary.
"""
# ruff: noqa: N803, N806, N815 - names of arrays end in their shape

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from corpusmill.schemas.errors import UsageError
from corpusmill.training.data.encoding import byte_of_letter

_SPACE, _OTHER_SPACE, _LETTER, _DIGIT, _SIGN = range(5)
_OUTSIDE: Final = 9
"""Kind of a token that has no bytes, such as the end of text."""


@dataclass(frozen=True)
class Words:
    """Words of a byte-level vocabulary: runs of letters, digits, signs or white space, with a space before the others.

    Bytes of characters outside ASCII count as letters. These are the pieces that the tokenizer cuts texts into before
    it merges bytes, except for contractions and characters outside ASCII that are no letters.

    Attributes:
        first_V, last_V: Kind of the first and of the last byte of each token.
        is_white_V: Whether a token is a single byte of white space.
    """

    first_V: npt.NDArray[np.int8]
    last_V: npt.NDArray[np.int8]
    is_white_V: npt.NDArray[np.bool_]

    @staticmethod
    def of(tokenizer: Tokenizer) -> Words:
        """Return the words of *tokenizer*.

        Raises:
            UsageError: *tokenizer* does not work on bytes.
        """
        to_byte = byte_of_letter()
        added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
        first_V = np.full(tokenizer.get_vocab_size(), _OUTSIDE, dtype=np.int8)
        last_V, is_white_V = first_V.copy(), np.zeros(len(first_V), dtype=bool)
        for token, number in tokenizer.get_vocab().items():
            if token in added:
                continue
            if not all(letter in to_byte for letter in token):
                raise UsageError(
                    f"`objective.whole_words: true` needs a tokenizer of bytes; it has the token {token!r}",
                    hint="use `whole_words: false`, or a tokenizer from `corpusmill tokenizer`",
                )
            first_V[number], last_V[number] = _kind(to_byte[token[0]]), _kind(to_byte[token[-1]])
            is_white_V[number] = len(token) == 1 and last_V[number] <= _OTHER_SPACE
        return Words(first_V, last_V, is_white_V)

    def starts(self, tokens_BS: npt.NDArray[Any], inside_BS: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which tokens begin a word, of those *inside_BS* texts. The first token of a row begins one."""
        first_BS, last_BS = self.first_V[tokens_BS], self.last_V[tokens_BS]
        starts_BS = inside_BS.copy()
        before, kind = last_BS[:, :-1], first_BS[:, 1:]
        # A token that ends with white space has nothing else. The last byte of a run of it goes with what follows.
        is_blank = last_BS[:, 1:] <= _OTHER_SPACE
        is_last = self.is_white_V[tokens_BS[:, 1:]]
        is_last[:, :-1] &= first_BS[:, 2:] >= _LETTER
        is_last[:, -1:] = False
        continues = np.where(
            is_blank, (before <= _OTHER_SPACE) & ~is_last, (kind >= _LETTER) & ((before == kind) | (before == _SPACE))
        )
        starts_BS[:, 1:] &= ~(continues & inside_BS[:, :-1])
        return starts_BS


def _kind(byte: int) -> int:
    r"""Return the kind of *byte*.

    >>> [_kind(byte) for byte in b" \n\xc3a1,"]
    [0, 1, 2, 2, 3, 4]
    """
    if byte == 0x20:
        return _SPACE
    letter = chr(byte)
    if byte >= 0x80 or letter.isalpha():
        return _LETTER
    return _OTHER_SPACE if letter.isspace() else _DIGIT if letter.isdigit() else _SIGN
