"""Cut a stream into HL7 v2 messages, whatever ends their segments and however they are framed.

Segments end with CR, LF or CR LF. A message begins with `MSH`; the bytes of the minimal lower layer protocol (MLLP)
around it and the segments of a batch (`FHS`, `BHS`, `BTS`, `FTS`) belong to no message.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from corpusmill.crawlers.loaders.streams import available

MAX_MESSAGE_BYTES: Final = 32_000_000
_READ_BYTES: Final = 1 << 18
_START: Final = re.compile(rb"(?:\A|(?<=[\r\n\x0b\x1c]))[ \t\x0b\x1c]*(?:MSH|FHS|BHS|BTS|FTS)(?=[^\w\s])")
_MARGIN: Final = 16
_FRAMING: Final = b"\x0b\x1c\r\n\0 \t"


class Piece(NamedTuple):
    """The bytes from one header to the next one. `data` is None if there are more than `MAX_MESSAGE_BYTES`.

    `is_cut`: the file ends with it, before the byte with which MLLP ends a message.
    """

    offset: int
    data: bytes | None
    is_cut: bool = False

    @property
    def is_message(self) -> bool:
        """Whether it is a message, not a header or trailer of a batch, nor bytes before the first message."""
        return self.data is not None and self.data[:3] == b"MSH"


def pieces(stream: BinaryIO) -> Iterator[Piece]:
    """Yield the messages and the parts of batches in *stream*; memory holds one of them.

    >>> import io
    >>> data = b"\\x0bMSH|^~\\\\&|A\\rPID|1\\r\\x1c\\rMSH|^~\\\\&|B\\n"
    >>> [piece.data for piece in pieces(io.BytesIO(data))]
    [b'MSH|^~\\\\&|A\\rPID|1', b'MSH|^~\\\\&|B']
    """
    buffer, offset, at_end, is_long = bytearray(), 0, False, False
    while not at_end:
        piece = available(stream, _READ_BYTES)
        at_end = not piece
        searched = max(len(buffer) - _MARGIN, 1)
        buffer += piece
        starts = [match.start() for match in _START.finditer(buffer, searched)]
        begin = 0
        for start in starts:
            if not at_end and start >= len(buffer) - _MARGIN:
                break
            yield from _piece(bytes(buffer[begin:start]), offset + begin, is_long=is_long)
            begin, is_long = start, False
        if len(buffer) - begin > MAX_MESSAGE_BYTES:
            is_long = True
            begin = len(buffer) - _MARGIN
        del buffer[:begin]
        offset += begin
    yield from _piece(bytes(buffer), offset, is_long=is_long, is_last=True)


def _piece(data: bytes, offset: int, *, is_long: bool, is_last: bool = False) -> Iterator[Piece]:
    stripped = data.removeprefix(codecs.BOM_UTF8).strip(_FRAMING)
    if is_long:
        yield Piece(offset, None)
    elif stripped:
        is_cut = is_last and data.lstrip(b"\r\n \t").startswith(b"\x0b") and b"\x1c" not in data
        yield Piece(offset + data.find(stripped[:8]), stripped, is_cut)
