"""A recorded HTTP response, taken apart: status, headers, and the body as the page's author wrote it."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import zstandard
from fastwarc.stream_io import BrotliReader

from corpusmill.schemas.errors import DataError

MAX_HEADER_BYTES: Final = 65_536
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"(?:HTTP|ICY)\S*\s+(\d{3})")
_CHUNK: Final = re.compile(rb"\s*([0-9A-Fa-f]{1,8})[^\r\n]{0,256}\r?\n")


@dataclass(frozen=True)
class Response:
    """The head of a response; header names are in lower case, of several headers with one name the first counts."""

    status: int
    headers: dict[str, str]
    head_bytes: int

    @property
    def media_type(self) -> str:
        """Media type in lower case, without parameters; empty where there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse_head(block: bytes | memoryview) -> Response | None:
    """Return the head of the HTTP response that *block* begins with; none where it is not one.

    Lines may end in LF alone, as some archives have them.
    """
    status = _STATUS.match(block, 0, MAX_HEADER_BYTES)
    if status is None:
        return None
    end = _END_OF_HEADER.search(block, 0, MAX_HEADER_BYTES)
    lines = bytes(block[: end.start() if end else MAX_HEADER_BYTES]).decode("latin-1").splitlines()[1:]
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return Response(int(status[1]), headers, end.end() if end else min(len(block), MAX_HEADER_BYTES))


def decoded_body(body: bytes, response: Response, *, max_bytes: int) -> bytes:
    """Undo the transfer encoding and the content encodings of *body*.

    Archives often keep the headers but store the body decoded, so a coding that does not fit is taken as undone. A
    coded body that breaks off gives what came before.

    Raises:
        DataError: ``too_large``, decoded above *max_bytes*.
    """
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        body = dechunked(body)
    for coding in reversed(response.headers.get("content-encoding", "").lower().split(",")):
        if decode := _CODINGS.get(coding.strip()):
            body = decode(body, max_bytes)
    if len(body) > max_bytes:
        raise DataError(f"the body is above {max_bytes:,} bytes", kind="too_large")
    return body


def dechunked(body: bytes) -> bytes:
    r"""Undo the chunked transfer coding (RFC 9112 §7.1); *body* as it is where it has no chunks.

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


def _inflated(body: bytes, max_bytes: int, *, wbits: int) -> bytes:
    try:
        return zlib.decompressobj(wbits).decompress(body, max_bytes + 1)
    except zlib.error:
        return _until_damage(body, max_bytes, wbits=wbits) or body


def _until_damage(body: bytes, max_bytes: int, *, wbits: int) -> bytes:
    """Give what can be had of a damaged body."""
    decoder, parts, size = zlib.decompressobj(wbits), [], 0
    for start in range(0, len(body), 1024):
        try:
            parts.append(decoder.decompress(body[start : start + 1024]))
        except zlib.error:
            break
        size += len(parts[-1])
        if size > max_bytes:
            break
    return b"".join(parts)


def _gunzipped(body: bytes, max_bytes: int) -> bytes:
    return _inflated(body, max_bytes, wbits=31) if body.startswith(b"\x1f\x8b") else body


def _deflated(body: bytes, max_bytes: int) -> bytes:
    """Undo ``deflate``: with the header of zlib (RFC 9110 §8.4.1.2), or raw as some servers send it."""
    inflated = _inflated(body, max_bytes, wbits=15)
    if inflated is not body or body.lstrip().startswith(b"<"):
        return inflated
    return _inflated(body, max_bytes, wbits=-15)


def _unbrotlied(body: bytes, max_bytes: int) -> bytes:
    if body.lstrip().startswith(b"<"):
        return body
    return _read(lambda: BrotliReader(io.BytesIO(body)).read(max_bytes + 1), body)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    if not body.startswith(b"\x28\xb5\x2f\xfd"):
        return body
    decoder = zstandard.ZstdDecompressor(max_window_size=2**23)  # RFC 9659: no more on the web
    return _read(lambda: decoder.stream_reader(io.BytesIO(body)).read(max_bytes + 1), body)


def _read(decode: Callable[[], bytes], body: bytes) -> bytes:
    try:
        return decode()
    except (OSError, zstandard.ZstdError):
        return body


_CODINGS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _deflated,
    "br": _unbrotlied,
    "zstd": _unzstd,
}
