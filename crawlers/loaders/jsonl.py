"""JSON Lines, and JSON texts with an array of records, plain or compressed; the form is detected from the content."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO, ClassVar, Final, NamedTuple, NoReturn

import pyarrow as pa
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import Offers, cuts
from corpusmill.crawlers.loaders.chats import chat_text
from corpusmill.crawlers.loaders.frame_index import FrameIndex, frame_index
from corpusmill.crawlers.loaders.json_values import MAX_VALUE_BYTES, JsonText, json_form, records
from corpusmill.crawlers.loaders.rows import (
    MAX_DEPTH,
    TEXT_FIELD_DESCRIPTION,
    Naming,
    RowLoader,
    has_lone_surrogate,
    offer_of,
    without_lone_surrogates,
)
from corpusmill.crawlers.loaders.streams import (
    BrokenStreamError,
    file_size,
    is_compressed,
    open_decompressed,
    packed,
    pieces,
    refuse_shorter,
    sha256_of,
)
from corpusmill.crawlers.loaders.vectors import VectorField
from corpusmill.schemas.errors import DamagedFileError, DataError

MAX_LINE_BYTES: Final = MAX_VALUE_BYTES
MAX_DIGITS: Final = 640
"""Longest whole number that Python parses at any setting of its own limit (``PYTHONINTMAXSTRDIGITS``)."""
_READ_BYTES: Final = 1 << 20
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class JsonRow(NamedTuple):
    """A record as it stands in a file: an object, or the rule and message under which it is set aside.

    `offset` is its position in the decompressed bytes of the file. `is_changed`: some value of the object is not what
    stands in the file, because no column can hold that.
    """

    offset: int
    value: dict[str, Any] | None
    rule: str | None = None
    message: str | None = None
    is_changed: bool = False


class JsonLines(RowLoader):
    """Objects in UTF-8 (RFC 8259): one per line, the elements of an array, or one after another.

    Blank lines are skipped. The array can be a field of an object without a text field, such as ``{"data": [...]}``;
    the other fields of that object are ignored.
    """

    about: ClassVar[About] = About(
        license="A field `license`, else `license` in the recipe.",
        get="Most data sets for language models, such as those on huggingface.co, have these files.",
        tried="Samples of Dolma, and files of 1 GB.",
    )
    suffixes: ClassVar[tuple[str, ...]] = packed(".jsonl", ".ndjson", ".json")
    version: ClassVar[int] = 3

    text_field: str = Field(default="text", min_length=1, description=TEXT_FIELD_DESCRIPTION)
    id_field: str | None = Field(
        default="id", min_length=1, description="Field with the id of a record; it may be missing.", examples=["id"]
    )

    messages_field: str | None = Field(
        default=None,
        min_length=1,
        description="Field with a list of messages, each with a role or an author and a content, that become the text. "
        "Names of authors are replaced by numbers.",
        examples=["messages"],
    )

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return slices of the decompressed bytes; a record belongs to the slice in which its line begins.

        A compressed file has more than one slice only if its frames can be indexed (`frame_index`).
        """
        is_packed = is_compressed(path)
        if json_form(path, text_fields=self.text_names) != "lines":
            return [(0, -1 if is_packed else file_size(path))]
        if not is_packed:
            return cuts(path)
        frames = frame_index(path)
        slices = [] if frames is None else frames.slices()
        return slices if len(slices) > 1 else [(0, -1)]

    def read(
        self, path: str, *, name: str, start: int = 0, end: int = -1, counts: Counter[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the records whose lines begin in ``[start, end)`` of the (decompressed) bytes.

        Raises:
            DamagedFileError: Since the slices were computed, the file has become shorter or its frames have changed.
        """
        frames = _frames(path, start, end)
        offers = Offers()
        naming, vectors = self.naming(name, counts), self.vectors(counts)
        try:
            for text in self._texts(path, start, end, frames):
                yield from offers.add(**self._offer(text, naming, vectors), offset=text.offset, length=text.length)
        except DataError as error:
            yield from offers.add(**_broken(path, start, end, frames, error))
        _frames(path, start, end)
        yield from offers.rest()

    def rows(self, path: str, *, start: int = 0, end: int = -1) -> Iterator[JsonRow]:
        """Yield the records that `read` reads, with all their fields as they are.

        A lone surrogate becomes U+FFFD; in the text or the id, it sets the record aside. A number that no float can
        hold is infinite. A slice whose rest cannot be read ends with a row that says so.

        Raises:
            DamagedFileError: As `read`.
        """
        try:
            for text in self.texts(path, start=start, end=end):
                yield self.row_of(text)
        except DataError as error:
            yield JsonRow(start, None, error.rule, error.message)

    def texts(self, path: str, *, start: int = 0, end: int = -1) -> Iterator[JsonText]:
        """Yield the records of the slice as they stand in the file.

        Raises:
            DamagedFileError: As `read`.
            DataError: The rest of the slice cannot be read.
        """
        frames = _frames(path, start, end)
        yield from self._texts(path, start, end, frames)
        _frames(path, start, end)

    def row_of(self, text: JsonText) -> JsonRow:
        """Parse a record; one that cannot be read is a row with a rule and a message."""
        try:
            value = _object(text)
        except DataError as error:
            return JsonRow(text.offset, None, error.rule, error.message)
        if b"\\ud" in (text.data or b"").lower():
            if any(has_lone_surrogate(value.get(name)) for name in (*self.text_names, self.id_field or "id")):
                message = "the text or the id is not valid Unicode"
                return JsonRow(text.offset, None, "error.encoding", message)
            whole = without_lone_surrogates(value)
            return JsonRow(text.offset, whole, is_changed=whole != value or _has_infinity(value))
        return JsonRow(text.offset, value, is_changed=_has_infinity(value))

    def _texts(self, path: str, start: int, end: int, frames: FrameIndex | None) -> Iterator[JsonText]:
        """Yield the records that begin in the slice; a file not in lines is read from its beginning.

        Raises:
            DataError: The rest of the file cannot be read, and this slice reports it.
        """
        form = json_form(path, text_fields=self.text_names)
        if form == "lines":
            stream, position = _first_line(path, start, frames)
            with stream:
                yield from lines_of(stream, position, end)
            return
        try:
            with open_decompressed(path) as stream:
                for text in records(stream, form):
                    if 0 <= end <= text.offset:
                        return
                    if start <= text.offset:
                        yield text
        except DataError:
            if start == 0:
                raise

    def _with_chat(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return *row* with the text of its messages in place of the messages."""
        if self.messages_field is None:
            return row
        rest = {name: value for name, value in row.items() if name not in {self.messages_field, self.text_field}}
        return rest | {self.text_field: chat_text(row.get(self.messages_field))}

    def _offer(self, text: JsonText, naming: Naming, vectors: VectorField | None) -> dict[str, Any]:
        try:
            return offer_of(self._with_chat(_object(text)), text_field=self.text_field, naming=naming, vectors=vectors)
        except DataError as error:
            return text.bad(error.kind, error.message)


def _has_infinity(value: Any) -> bool:
    """Return whether the JSON *value* has a number beyond the range of floats, such as ``1e999``."""
    if isinstance(value, float):
        return math.isinf(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_infinity(item) for item in items)


def _object(text: JsonText) -> dict[str, Any]:
    """Parse a record.

    Raises:
        DataError: It is not an object in UTF-8, or exceeds a bound.
    """
    if text.data is None:
        message = f"the record has {text.length:,} bytes, more than {MAX_LINE_BYTES:,}"
        raise DataError(message, kind="too_large")
    if is_too_deep(text.data):
        raise DataError(f"nested deeper than {MAX_DEPTH} levels", kind="too_deep")
    try:
        row = _DECODER.decode(text.data.decode())
    except UnicodeDecodeError as error:
        message = f"not UTF-8: {error.reason} at byte {error.start:,} of the record"
        raise DataError(message, kind="encoding") from error
    except ValueError as error:
        raise DataError(str(error), kind="not_json") from error
    if not isinstance(row, dict):
        raise DataError("the record is JSON, but not an object", kind="not_json")
    return row


def _frames(path: str, start: int, end: int) -> FrameIndex | None:
    """Return the frame index of a compressed file with several slices, else None; check that the slice exists.

    Raises:
        DamagedFileError: The file does not contain the slice ``[start, end)``.
    """
    if not is_compressed(path):
        refuse_shorter(path, end)
        return None
    if start == 0 and end < 0:
        return None
    frames = frame_index(path)
    if frames is None or end > frames.size:
        raise DamagedFileError(
            "the compressed frames of the file have changed since it was loaded",
            file=path,
            hint="run `corpusmill load RECIPE` when no program writes to the file anymore, then the same command",
        )
    return frames


def open_lines(path: str, start: int, end: int) -> tuple[BinaryIO, int]:
    """Open the file at *path* at the first line of the slice ``[start, end)``; return the stream and that position.

    Raises:
        DamagedFileError: The file does not contain the slice.
    """
    return _first_line(path, start, _frames(path, start, end))


def _first_line(path: str, start: int, frames: FrameIndex | None) -> tuple[BinaryIO, int]:
    """Open the file at the first line that begins at or after *start*; return the stream and the line's offset."""
    if start == 0:
        return open_decompressed(path), 0
    if frames is None:
        stream = open_decompressed(path)
        stream.seek(start - 1)
        return stream, start - 1 + _skip_line(stream)
    offset, position = frames.frame_at(start - 1)
    stream = open_decompressed(path, start=offset)
    try:
        last = b""
        for piece in pieces(stream, length=start - position):
            last = piece[-1:]
        return stream, start if last == b"\n" else start + _skip_line(stream)
    except BrokenStreamError:  # the previous slice reports it; this slice can begin in the middle of a line
        stream.close()
        offset, position = frames.frame_at(start)
        return open_decompressed(path, start=offset), position


def _broken(path: str, start: int, end: int, frames: FrameIndex | None, error: DataError) -> dict[str, Any]:
    """Return the row for the unreadable part of a slice; its id is the hash of the slice's frames."""
    digest = (
        sha256_of(path)
        if frames is None
        else sha256_of(
            path,
            start=frames.frame_at(start)[0],
            end=None if end >= frames.size else frames.frame_at(end)[0],
        )
    )
    return {"source_id": digest, "record_sha256": digest, "rule": error.rule, "message": error.message}


def lines_of(stream: BinaryIO, position: int, end: int) -> Iterator[JsonText]:
    """Yield the lines that begin before *end* and are not blank; *stream* is at the start of a line, at *position*."""
    while end < 0 or position < end:
        line, size = _line(stream, position)
        if not size:
            return
        if line.data is None or line.length:
            yield line
        position += size


def _line(stream: BinaryIO, offset: int) -> tuple[JsonText, int]:
    """Return the next line of *stream* and its length with the line break; at most `MAX_LINE_BYTES` are in memory."""
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
        return JsonText(offset, len(data), None, hashlib.sha256(data).hexdigest()), size
    return JsonText(offset, len(data), data), size


def _long_line(stream: BinaryIO, offset: int, head: bytes) -> tuple[JsonText, int]:
    """Return the line that begins with *head*, and its length with the line break; the rest is only hashed."""
    digest, size = hashlib.sha256(), len(head)
    digest.update(head[:-1])
    tail = head[-1:]  # a CR can be part of the line break
    while piece := stream.readline(_READ_BYTES):
        size += len(piece)
        tail += piece
        digest.update(tail[:-2])
        tail = tail[-2:]
        if piece.endswith(b"\n"):
            break
    digest.update(tail.removesuffix(b"\n").removesuffix(b"\r"))
    return JsonText(offset, size, None, digest.hexdigest()), size


def _skip_line(stream: BinaryIO) -> int:
    size = 0
    while piece := stream.readline(_READ_BYTES):
        size += len(piece)
        if piece.endswith(b"\n"):
            break
    return size


def is_too_deep(data: bytes) -> bool:
    """Return whether *data*, if it is JSON, has more than `MAX_DEPTH` levels; computed without recursion."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    without_escapes = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside_strings = b"".join(without_escapes.split(b'"')[::2])
    brackets = outside_strings.translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS and len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a whole number has more than {MAX_DIGITS} digits")
    return int(digits)


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse, parse_int=_whole_number)
