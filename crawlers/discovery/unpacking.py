"""Decompress and decode a listing piece by piece, so that memory does not depend on its size."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from corpusmill.crawlers.discovery.listing import ListingError
from corpusmill.schemas.decoding.declarations import byte_order_mark, declared_codecs

PIECE_BYTES: Final = 1 << 16
_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
_GZIP_MEMBER: Final = 31
"""zlib's number for gzip, with the largest window."""
_MAX_LAYERS: Final = 2
"""A compressed file in a compressed response."""


def text_pieces(body: bytes, *, media_type: str | None, max_bytes: int) -> Iterator[str]:
    """Yield the text of *body*, without blanks before it. Whether it is compressed is decided by its first bytes.

    Characters that cannot be decoded are replaced.

    Raises:
        ListingError: ``too_large``: it has more than *max_bytes* when it is decompressed; ``invalid``: the compressed
            data are damaged or incomplete. What comes before is yielded.
    """
    pieces = _bounded(_unpacked(body, max_bytes), max_bytes)
    head = next(pieces, b"")
    decoder = codecs.getincrementaldecoder(_codec(head, media_type))("replace")
    is_begun = False
    for piece in chain((head,), pieces):
        text = decoder.decode(piece)
        text = text if is_begun else text.lstrip("\ufeff \t\r\n")
        is_begun = is_begun or bool(text)
        if text:
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest


def _codec(head: bytes, media_type: str | None) -> str:
    """Return the codec of a text that begins with *head*: byte order mark, declaration, else UTF-8."""
    if mark := byte_order_mark(head):
        return mark[0]
    if head[:1] == b"\0" or head[1:2] == b"\0":
        return "utf-16-be" if head[:1] == b"\0" else "utf-16-le"
    # A declaration that can be read byte by byte is not in UTF-16.
    names = (name for name in declared_codecs(head, media_type) if not name.startswith(("utf-16", "utf-32")))
    return next(names, "utf-8")


def _pieces(body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    return (bytes(view[at : at + PIECE_BYTES]) for at in range(0, len(body), PIECE_BYTES))


def _unpacked(body: bytes, max_bytes: int) -> Iterator[bytes]:
    pieces = _pieces(body)
    for _ in range(_MAX_LAYERS):
        head = next(pieces, b"")
        pieces = chain((head,), pieces)
        if not head.startswith(_GZIP_MAGIC):
            break
        pieces = _bounded(_gunzipped(pieces), max_bytes)
    return pieces


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress all members of gzip (RFC 1952 §2.2); ignore other data after them."""
    decoder = zlib.decompressobj(_GZIP_MEMBER)
    for piece in pieces:
        data = piece
        while data:
            if decoder.eof:
                data = data.lstrip(b"\0")
                if not data.startswith(_GZIP_MAGIC[: len(data)]):
                    return
                decoder = zlib.decompressobj(_GZIP_MEMBER)
            try:
                unpacked = decoder.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise ListingError(f"the compressed data are damaged: {error}") from error
            if unpacked:
                yield unpacked
            data = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if not decoder.eof:
        raise ListingError("the compressed data break off")


def _bounded(pieces: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > max_bytes:
            yield piece[: len(piece) - (size - max_bytes)]
            raise ListingError(f"above {max_bytes:,} bytes", kind="too_large")
        yield piece
