"""Decode the content and transfer codings of HTTP (RFC 9110 §8.4, RFC 9112 §7).

The crawler and the loader of archives use the same function, so that the links and the published text of a page come
from the same bytes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Final

import brotli
import zstandard

from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.errors import DataError

_CHUNK: Final = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[^\r\n]{0,256}\r?\n")
_NULLS: Final = re.compile(rb"\0*")
_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
_ZSTD_MAGICS: Final = (b"\x28\xb5\x2f\xfd", *(bytes((0x50 + low, 0x2A, 0x4D, 0x18)) for low in range(16)))
_MAX_ZSTD_WINDOW: Final = 1 << 23
"""Window size limit of zstd on the web (RFC 9659)."""
_PIECE_BYTES: Final = 1 << 16
_MAX_MEMBERS: Final = 10_000
"""Maximum number of compressed streams in a body. Empty ones take time without adding to the size."""
_TOO_MANY_MEMBERS: Final = f"it has more than {_MAX_MEMBERS:,} members"
_RAW: Final = -15
_GZIP_WBITS: Final = 31
"""zlib's number for gzip (16) with the largest window (15)."""
_FEXTRA, _FNAME, _FCOMMENT, _FHCRC = 4, 8, 16, 2


class _Other(Exception):
    """The body does not begin like data of this coding."""


def undo_content_codings(
    body: bytes, codings: str, *, max_bytes: int, is_cut: bool = False, is_archived: bool = False
) -> bytes:
    """Decode *body*, whose `Content-Encoding` is *codings*.

    Args:
        is_cut: The body was truncated when it was fetched; return the part that can be decoded.
        is_archived: Skip a coding that does not fit if the body may be text, because archives often name a coding that
            was already decoded.

    Raises:
        DataError: ``too_large``: above *max_bytes*; ``truncated``: the body is incomplete; ``encoding``: it is damaged,
            or its coding is unknown.
    """
    for name in reversed(codings.lower().split(",")):
        coding = name.strip().removeprefix("x-")
        if coding in ("", "identity", "chunked") or not body:
            continue
        try:
            decode = _CODINGS.get(coding)
            if decode is None:
                raise _Other
            body, is_whole = decode(body, max_bytes)
        except _Other:
            if not is_archived or is_binary(body):
                problem = "is not known" if coding not in _CODINGS else "does not fit the body"
                raise DataError(f"Content-Encoding: {coding[:100]} {problem}", kind="encoding") from None
            continue
        if len(body) > max_bytes:
            raise DataError(f"the body is above {max_bytes:,} bytes when {coding} is undone", kind="too_large")
        if not is_whole and not is_cut:
            raise DataError(f"Content-Encoding: {coding}: the body breaks off", kind="truncated")
    if len(body) > max_bytes:
        raise DataError(f"the body is above {max_bytes:,} bytes", kind="too_large")
    return body


def dechunked(body: bytes) -> bytes:
    r"""Decode the chunked transfer coding (RFC 9112 §7.1); return a *body* without chunks unchanged.

    >>> dechunked(b"4\r\n<htm\r\n2\r\nl>\r\n0\r\n\r\n"), dechunked(b"<html>")
    (b'<html>', b'<html>')
    """
    parts, position = [], 0
    while chunk := _CHUNK.match(body, position):
        size = int(chunk[1], 16)
        parts.append(body[chunk.end() : chunk.end() + size])
        position = chunk.end() + size
        if size == 0:
            return b"".join(parts)
    return b"".join(parts) if position >= len(body) and parts else body


def _gunzip(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """Decode all members of gzip (RFC 1952 §2.2); skip other data after them, as browsers do.

    The last trailer may be missing, because deflate marks its own end (RFC 1951 §3.2.3).
    """
    if not body.startswith(_GZIP_MAGIC):
        if _has_zlib_header(body):
            return _inflate(body, max_bytes)
        raise _Other
    parts: list[bytes] = []
    room = max_bytes + 1
    start = 0
    for _ in range(_MAX_MEMBERS):
        try:
            output, end = _member(body, start, room, wbits=_GZIP_WBITS)
        except zlib.error as error:
            raise _damaged("gzip", error) from error
        parts.append(output)
        room -= len(output)
        if end is None:
            return b"".join(parts), room <= 0 or _is_whole_deflate(body[start + _header_bytes(body[start:]) :])
        start = _after_nulls(body, end)
        if not body.startswith(_GZIP_MAGIC, start) or room <= 0:
            return b"".join(parts), True
    raise _damaged("gzip", _TOO_MANY_MEMBERS)


def _after_nulls(body: bytes, position: int) -> int:
    hit = _NULLS.match(body, position)
    return hit.end() if hit else position


def _member(body: bytes, start: int, room: int, *, wbits: int) -> tuple[bytes, int | None]:
    """Decode the stream at *start* to little more than *room* bytes, and return its end; None if it has none before.

    The input is passed in pieces, because zlib copies what is left of the input after the end of a member.
    """
    decoder = zlib.decompressobj(wbits=wbits)
    output = bytearray()
    for position in range(start, len(body), _PIECE_BYTES):
        piece = body[position : position + _PIECE_BYTES]
        output += decoder.decompress(piece, room - len(output) + 1)
        if decoder.eof:
            return bytes(output), position + len(piece) - len(decoder.unused_data)
        if len(output) > room:
            break
    return bytes(output), None


def _header_bytes(member: bytes) -> int:
    """Return the length of the header of a gzip *member* (RFC 1952 §2.3)."""
    flags = member[3] if len(member) > 3 else 0
    end = 10
    if flags & _FEXTRA:
        end += 2 + int.from_bytes(member[end : end + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            end = member.find(b"\0", end) + 1 or len(member)
    return end + (2 if flags & _FHCRC else 0)


def _is_whole_deflate(data: bytes) -> bool:
    decoder = zlib.decompressobj(_RAW)
    while data and not decoder.eof:
        decoder.decompress(data, _PIECE_BYTES * 16)
        data = decoder.unconsumed_tail
    return decoder.eof


def _inflate(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """Decode ``deflate``: zlib streams (RFC 9110 §8.4.1.2), raw deflate as some servers send, or mislabeled gzip.

    The checksum of the last zlib stream may be missing, like the trailer of gzip. Bytes after a stream that are not
    another one are ignored.
    """
    if body.startswith(_GZIP_MAGIC):
        return _gunzip(body, max_bytes)
    damage: zlib.error | None = None
    if _has_zlib_header(body):
        try:
            return _unzlib(body, max_bytes)
        except zlib.error as error:
            damage = error
    decoder = zlib.decompressobj(_RAW)
    try:
        output = decoder.decompress(body, max_bytes + 1)
    except zlib.error as error:
        if not is_binary(body):
            raise _Other from error
        raise _damaged("deflate", damage or error) from error
    if damage is not None and not decoder.eof:
        raise _damaged("deflate", damage)
    if not decoder.eof and not is_binary(body):
        raise _Other
    return output, decoder.eof or len(output) > max_bytes


def _unzlib(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    room = max_bytes + 1
    start = 0
    for _ in range(_MAX_MEMBERS):
        output, end = _member(body, start, room, wbits=zlib.MAX_WBITS)
        parts.append(output)
        room -= len(output)
        if end is None:
            return b"".join(parts), room <= 0 or _is_whole_deflate(body[start + 2 :])
        start = end
        if room <= 0 or not _has_zlib_header(body[start : start + 2]):
            return b"".join(parts), True
    raise _damaged("deflate", _TOO_MANY_MEMBERS)


def _has_zlib_header(body: bytes) -> bool:
    """Return whether *body* begins with a zlib header (RFC 1950 §2.2)."""
    return len(body) > 1 and body[0] & 0x8F == 8 and int.from_bytes(body[:2], "big") % 31 == 0 and not body[1] & 0x20


def _unbrotli(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """Decode ``br`` (RFC 7932). It has no magic number, so a body that cannot be decoded may be plain text."""
    if body.lstrip().startswith(b"<"):
        raise _Other
    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    data = body
    try:
        while size <= max_bytes and not decoder.is_finished():
            parts.append(decoder.process(data, output_buffer_limit=min(1 << 20, max_bytes + 1)))
            data = b""
            size += len(parts[-1])
            if not parts[-1] and decoder.can_accept_more_data():
                break
    except brotli.error as error:
        if not is_binary(body):
            raise _Other from error
        raise _damaged("br", error) from error
    if not decoder.is_finished() and size <= max_bytes and not is_binary(body):
        raise _Other
    return b"".join(parts), decoder.is_finished() or size > max_bytes


def _unzstd(body: bytes, max_bytes: int) -> tuple[bytes, bool]:
    """Decode all frames of ``zstd`` (RFC 8878 §3.1)."""
    if not body.startswith(_ZSTD_MAGICS):
        raise _Other
    parts: list[bytes] = []
    size, position, frames = 0, 0, 1
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW).decompressobj()
    while position < len(body) and size <= max_bytes:
        piece = body[position : position + 1024]  # small, because a few bytes can expand to very many
        try:
            parts.append(decoder.decompress(piece))
        except zstandard.ZstdError as error:
            raise _damaged("zstd", error) from error
        size += len(parts[-1])
        position += len(piece)
        if decoder.eof:
            position -= len(decoder.unused_data)
            if not body.startswith(_ZSTD_MAGICS, position):
                return b"".join(parts), True
            frames += 1
            if frames > _MAX_MEMBERS:
                raise _damaged("zstd", _TOO_MANY_MEMBERS)
            decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW).decompressobj()
    return b"".join(parts), size > max_bytes


def _damaged(coding: str, error: Exception | str) -> DataError:
    return DataError(f"Content-Encoding: {coding}: the body is damaged: {error}", kind="encoding")


_CODINGS: Final[dict[str, Callable[[bytes, int], tuple[bytes, bool]]]] = {
    "gzip": _gunzip,
    "deflate": _inflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
