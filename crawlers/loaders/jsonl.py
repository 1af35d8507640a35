"""JSON Lines: plain, gzip or zstd (told by the first bytes), one object a line."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO, ClassVar, Final, NamedTuple, NoReturn

import pyarrow as pa
from pydantic import Field

from corpusmill.crawlers.loaders.base import Loader, Offers, cuts
from corpusmill.crawlers.loaders.rows import MAX_DEPTH, offer_of
from corpusmill.crawlers.loaders.streams import (
    BrokenStreamError,
    is_compressed,
    open_decompressed,
    refuse_shorter,
    sha256_of,
)

MAX_LINE_BYTES: Final = 64_000_000
"""Twice the largest text, for escapes and the other fields."""
MAX_DIGITS: Final = 640
"""Digits of a whole number: as many as Python reads at any setting of its own limit (``PYTHONINTMAXSTRDIGITS``)."""
_READ_BYTES: Final = 1 << 20
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class JsonLines(Loader):
    """Objects, one a line, in UTF-8 (RFC 8259); blank lines are no records."""

    suffixes: ClassVar[tuple[str, ...]] = tuple(
        f"{suffix}{packed}" for suffix in (".jsonl", ".ndjson", ".json") for packed in ("", ".gz", ".zst")
    )

    text_field: str = Field(default="text", min_length=1, description="Field that holds the text.")
    id_field: str = Field(default="id", min_length=1, description="Field that names a record; it may be missing.")

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Give slices of a plain file: a record belongs to the one in which its line begins. One where compressed."""
        return [(0, -1)] if is_compressed(path) else cuts(path)

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Give the records whose lines begin in ``[start, end)`` of the (decompressed) bytes."""
        refuse_shorter(path, end)
        offers = Offers()
        with open_decompressed(path) as stream:
            try:
                for line in _lines(stream, start=start, end=end):
                    yield from offers.add(**self._offer(line), offset=line.offset, length=line.length)
            except BrokenStreamError as error:
                whole = sha256_of(path)
                yield from offers.add(source_id=whole, record_sha256=whole, rule=error.rule, message=error.message)
        refuse_shorter(path, end)
        yield from offers.rest()

    def _offer(self, line: _Line) -> dict[str, Any]:
        if line.data is None:
            return line.bad("too_large", f"the line has {line.length:,} bytes, more than {MAX_LINE_BYTES:,}")
        if _is_too_deep(line.data):
            return line.bad("too_deep", f"nested deeper than {MAX_DEPTH} levels")
        try:
            row = _DECODER.decode(line.data.decode())
            if isinstance(row, dict):
                return offer_of(row, text_field=self.text_field, id_field=self.id_field)
        except UnicodeDecodeError as error:
            return line.bad("encoding", f"not UTF-8: {error.reason} at byte {error.start:,} of the line")
        except ValueError as error:
            return line.bad("not_json", str(error))
        return line.bad("not_json", "the line is JSON, but not an object")


class _Line(NamedTuple):
    """A line without its end; `data` is none where it is above `MAX_LINE_BYTES`."""

    offset: int
    length: int
    data: bytes | None
    digest: str | None = None

    def bad(self, kind: str, message: str) -> dict[str, Any]:
        digest = self.digest or hashlib.sha256(self.data or b"").hexdigest()
        return {"source_id": digest, "record_sha256": digest, "rule": f"error.{kind}", "message": message}


def _lines(stream: BinaryIO, *, start: int, end: int) -> Iterator[_Line]:
    """Give the lines that begin in ``[start, end)`` and are not blank."""
    position = 0
    if start > 0:
        stream.seek(start - 1)
        position = start - 1 + _skip_line(stream)
    while end < 0 or position < end:
        line, size = _line(stream, position)
        if not size:
            return
        if line.data is None or line.length:
            yield line
        position += size


def _line(stream: BinaryIO, offset: int) -> tuple[_Line, int]:
    """Give the next line of *stream* and its length with its end; no more than `MAX_LINE_BYTES` of it are held."""
    data = stream.readline(_READ_BYTES)
    size = len(data)
    if size == _READ_BYTES:
        parts = [data]
        while not parts[-1].endswith(b"\n") and (piece := stream.readline(_READ_BYTES)):
            size += len(piece)
            parts.append(piece)
            if size > MAX_LINE_BYTES and not piece.endswith(b"\n"):
                return _long_line(stream, offset, b"".join(parts))
        data = b"".join(parts)
    if offset == 0:
        data = data.removeprefix(b"\xef\xbb\xbf")
    data = data.strip(b" \t\r\n")
    if len(data) > MAX_LINE_BYTES:
        return _Line(offset, len(data), None, hashlib.sha256(data).hexdigest()), size
    return _Line(offset, len(data), data), size


def _long_line(stream: BinaryIO, offset: int, head: bytes) -> tuple[_Line, int]:
    """Give the line that begins with *head*, and its length with its end; the rest is hashed as it passes."""
    digest, size = hashlib.sha256(), len(head)
    digest.update(head[:-1])
    held = head[-1:]  # a CR may belong to the line's end
    while piece := stream.readline(_READ_BYTES):
        size += len(piece)
        held += piece
        digest.update(held[:-2])
        held = held[-2:]
        if piece.endswith(b"\n"):
            break
    digest.update(held.removesuffix(b"\n").removesuffix(b"\r"))
    return _Line(offset, size, None, digest.hexdigest()), size


def _skip_line(stream: BinaryIO) -> int:
    size = 0
    while piece := stream.readline(_READ_BYTES):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size


def _is_too_deep(data: bytes) -> bool:
    """Tell whether *data*, as far as it is JSON, has more than `MAX_DEPTH` levels; without recursion."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(without_escapes.split(b'"')[::2])
    brackets = outside_strings.translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS and len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a whole number has more than {MAX_DIGITS} digits")
    return int(digits)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse, parse_int=_whole_number)
