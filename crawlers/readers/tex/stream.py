"""The tokens of a paper in the order in which TeX reads them: arguments are taken from it, expansions are put back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from corpusmill.crawlers.readers.tex.tokens import PARAGRAPH, is_word
from corpusmill.schemas.errors import DataError

Token = str | Callable[[], None]
"""Source text, or an action to perform when the tokens before it were read."""
_MAX_GROWTH: Final = 20
_MIN_WORK: Final = 2_000_000
_MAX_OPTION_TOKENS: Final = 400
_DIMENSION: Final = re.compile(
    r"=?\s*[-+]?(?:\d*[.,]?\d+|\d+)?\s*(?:true\s*)?(?:pt|pc|in|bp|cm|mm|dd|cc|sp|em|ex|fill?l?|truecm|truein)?"
)

_AFTER_NUMBER: Final = frozenset(("plus", "minus", "pt", "cm", "mm", "in", "em", "ex", "truecm", "truein", "true"))

_LENGTHS: Final = frozenset(("\\z@", "\\p@", "\\fill", "\\maxdimen", "\\magstep", "\\magstephalf"))


class Stream:
    """Tokens to read.

    Args:
        size: Number of tokens of the whole paper; reading is limited to a multiple of it, so that macros that expand
            forever end.
    """

    def __init__(self, tokens: Iterable[Token], *, size: int) -> None:
        self._frames: list[list[Token]] = []
        self._work = size * _MAX_GROWTH + _MIN_WORK
        self.push(list(tokens))

    def push(self, tokens: list[Token]) -> None:
        """Read *tokens* next."""
        if tokens:
            self.spend(len(tokens))
            self._frames.append(tokens[::-1])

    def spend(self, tokens: int) -> None:
        """Count work.

        Raises:
            DataError: ``too_complex``: the macros of the paper expand to too many tokens.
        """
        self._work -= tokens
        if self._work < 0:
            raise DataError("the macros of the paper expand without end, or to too much text", kind="too_complex")

    def next(self) -> Token | None:
        """Return the next token; None at the end."""
        frames = self._frames
        while frames:
            frame = frames[-1]
            if frame:
                token = frame.pop()
                if not frame:
                    frames.pop()
                return token
            frames.pop()
        return None

    def peek(self) -> Token | None:
        """Return the next token, and leave it to be read."""
        while self._frames and not self._frames[-1]:
            self._frames.pop()
        return self._frames[-1][-1] if self._frames else None

    def put(self, token: Token) -> None:
        """Read *token* next."""
        if self._frames:
            self._frames[-1].append(token)
        else:
            self._frames.append([token])

    def skip_blank(self, *, paragraphs: bool = False) -> None:
        """Skip a space; with *paragraphs*, also blank lines."""
        while (token := self.peek()) == " " or (paragraphs and token == PARAGRAPH):
            self.next()

    def argument(self, *, split: bool = False) -> list[Token]:
        """Return the next argument: a group without its braces, or one token.

        Args:
            split: Whether an argument without braces is one character.
        """
        self.skip_blank(paragraphs=True)
        token = self.next()
        if token is None or token == "}":
            if token == "}":
                self.put(token)
            return []
        if token == "{":
            return self.until("}")
        if split and isinstance(token, str) and len(token) > 1 and token[0] not in "\\$":
            self.put(token[1:])
            return [token[0]]
        return [token]

    def until(self, end: str) -> list[Token]:
        """Return the tokens before *end* (``}`` or ``]``) outside of groups, and skip it."""
        found: list[Token] = []
        depth = 0
        while (token := self.next()) is not None:
            if token == end and not depth:
                break
            depth += (token == "{") - (token == "}")
            if depth < 0:
                self.put(token)
                break
            found.append(token)
        self.spend(len(found))
        return found

    def option(self) -> list[Token] | None:
        """Return the next optional argument, without its brackets; None if there is none."""
        self.skip_blank()
        if self.peek() != "[":
            return None
        self.next()
        found: list[Token] = []
        depth = 0
        while (token := self.next()) is not None:
            if token == "]" and not depth:
                return found
            depth += (token == "{") - (token == "}")
            found.append(token)
            if depth < 0 or len(found) > _MAX_OPTION_TOKENS:
                break
        self.push(found)
        return None

    def until_words(self, *ends: str) -> list[Token]:
        """Return the tokens before one of the commands *ends*, and skip it."""
        found: list[Token] = []
        while (token := self.next()) is not None and token not in ends:
            found.append(token)
        self.spend(len(found))
        return found

    def name(self) -> str:
        """Return the next argument as text, such as the name of an environment."""
        return joined(self.argument())

    def skip_dimension(self) -> None:
        """Skip a length such as ``= 2.5cm plus 1pt``."""
        for _ in range(12):
            self.skip_blank()
            token = self.peek()
            if not isinstance(token, str) or token == PARAGRAPH:
                return
            if token in {"plus", "minus", "by", "to", "spread"}:
                self.next()
                continue
            if is_word(token) and _is_length(token):
                self.next()
                if not token.startswith("\\magstep"):
                    return
                continue
            match = _DIMENSION.match(token)
            if match is None or not match[0].strip():
                return
            self.next()
            if rest := token[match.end() :]:
                self.put(rest)
                return
            if self.peek() == " ":
                self.next()
                if self.peek() not in _AFTER_NUMBER:
                    return


def _is_length(token: str) -> bool:
    return token in _LENGTHS or token.endswith(
        ("width", "height", "skip", "sep", "amount", "size", "margin", "indent", "dimen")
    )


def joined(tokens: Iterable[Token]) -> str:
    """Return the source of *tokens*."""
    return "".join(token for token in tokens if isinstance(token, str))
