"""Rich Text Format (RTF 1.9.1) as plain text: notes and letters of clinical systems are often attached in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from corpusmill.schemas.errors import DataError

MAX_DEPTH: Final = 1_000
"""Groups in groups; word processors write fewer than 50."""
_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,40})(-?\d{1,9})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|\\"
)
_SKIPPED: Final = frozenset(
    b"fonttbl colortbl stylesheet info pict object objdata themedata colorschememapping latentstyles datastore xmlnstbl"
    b" listtable listoverridetable revtbl rsidtbl generator header headerl headerr headerf footer footerl footerr"
    b" footerf fldinst filetbl private bkmkstart bkmkend annotation atnid atnauthor template shppict nonshppict"
    b" pntxta pntxtb pgptbl mmathPr wgrffmtfilter userprops docvar listtext".split()
)
"""Destinations without text of the document."""
_SIGNS: Final = {
    b"par": "\n", b"line": "\n", b"sect": "\n", b"page": "\n", b"row": "\n", b"cell": "\t", b"nestcell": "\t",
    b"nestrow": "\n", b"tab": "\t", b"emdash": "—", b"endash": "–", b"emspace": " ", b"enspace": " ", b"qmspace": " ",
    b"bullet": "•", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“", b"rdblquote": "”",
}  # fmt: skip
_SYMBOLS: Final = {b"~": "\u00a0", b"_": "-", b"\n": "\n", b"\r": "\n", b"\\": "\\", b"{": "{", b"}": "}"}
_CODE_PAGES: Final = {10000: "mac_roman", 65001: "utf-8", 0: "cp1252"}


@dataclass(frozen=True)
class _State:
    """Properties of a group: whether its text is left out, and how many bytes follow ``\\u`` for older readers."""

    is_skipped: bool = False
    is_hidden: bool = False
    fallback: int = 1


def is_rtf(data: bytes) -> bool:
    r"""Return whether *data* begins as RTF does.

    >>> is_rtf(rb"{\rtf1 a}"), is_rtf(b"text")
    (True, False)
    """
    return data.lstrip()[:5] == rb"{\rtf"


def rtf_text(data: bytes) -> str:
    r"""Return the text of *data*, without headers, footers, pictures, hidden and deleted text.

    Raises:
        DataError: ``wrong_format``: it is not RTF; ``too_deep``: more than `MAX_DEPTH` groups are nested.

    >>> rtf_text(rb"{\rtf1\ansi{\fonttbl\f0 Arial;}\f0 A \b caf\'e9\b0\par \u8364?5\~mg\tab b}")
    'A café\n€5\xa0mg\tb'
    """
    if not is_rtf(data):
        raise DataError("not RTF: it does not begin with {\\rtf", kind="wrong_format")
    reader = _Reader()
    position = 0
    while position < len(data):
        match = _TOKEN.match(data, position)
        if match is None:
            break
        position = match.end() + reader.read(match)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in reader.text().split("\n"))).strip()


class _Reader:
    """Collects the text of a sequence of tokens."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._bytes = bytearray()
        self._codec = "cp1252"
        self._state = _State()
        self._stack: list[_State] = []
        self._skip = 0
        self._high = 0

    def text(self) -> str:
        self._flush()
        return "".join(self._parts)

    def read(self, token: re.Match[bytes]) -> int:
        """Read one token, and return how many bytes after it are binary data."""
        word, number, hexadecimal, symbol, brace, text = token.groups()
        if word is not None:
            return self._word(word, None if number is None else int(number))
        if hexadecimal is not None:
            self._add(bytes.fromhex(hexadecimal.decode()))
        elif symbol == b"*":
            self._state = replace(self._state, is_skipped=True)
        elif symbol is not None:
            self._add_text(_SYMBOLS.get(symbol, ""))
        elif brace == b"{":
            if len(self._stack) >= MAX_DEPTH:
                raise DataError(f"more than {MAX_DEPTH:,} groups are nested", kind="too_deep")
            self._stack.append(self._state)
        elif brace is not None:
            self._state = self._stack.pop() if self._stack else self._state
        elif text is not None:
            self._add(text)
        return 0

    def _word(self, word: bytes, number: int | None) -> int:
        if word == b"bin":
            return max(number or 0, 0)
        if word in _SKIPPED:
            self._state = replace(self._state, is_skipped=True)
        elif word in (b"v", b"deleted"):
            self._state = replace(self._state, is_hidden=number != 0)
        elif word == b"plain":
            self._state = replace(self._state, is_hidden=False)
        elif word == b"uc":
            self._state = replace(self._state, fallback=min(max(number or 0, 0), 100))
        elif word == b"u" and number is not None:
            self._unicode(number % 65_536)
        elif word == b"ansicpg" and number is not None:
            self._codec = _codec(number)
        elif word == b"mac":
            self._codec = "mac_roman"
        elif word == b"pc":
            self._codec = "cp437"
        elif word in _SIGNS:
            self._add_text(_SIGNS[word])
        return 0

    def _unicode(self, code: int) -> None:
        """Add a unit of UTF-16; characters outside the first plane are written as two of them."""
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            if self._high:
                self._add_text(chr(0x10000 + ((self._high - 0xD800) << 10) + code - 0xDC00))
            self._high = 0
        else:
            self._add_text(chr(code) if code >= 32 else "")
        self._skip = self._state.fallback

    def _add(self, data: bytes) -> None:
        """Add bytes in the code page of the document, without those that stand for the last ``\\u``."""
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        if not (self._state.is_skipped or self._state.is_hidden):
            self._bytes += data[skipped:]

    def _add_text(self, text: str) -> None:
        self._skip = 0
        if text and not (self._state.is_skipped or self._state.is_hidden):
            self._flush()
            self._parts.append(text)

    def _flush(self) -> None:
        if self._bytes:
            self._parts.append(self._bytes.decode(self._codec, errors="replace"))
            self._bytes.clear()


def _codec(page: int) -> str:
    name = _CODE_PAGES.get(page, f"cp{page}")
    try:
        b"".decode(name)
    except LookupError:
        return "cp1252"
    return name
