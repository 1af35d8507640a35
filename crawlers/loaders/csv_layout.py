"""The layout of a CSV file, by its beginning, and its bytes from there on."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from corpusmill.crawlers.loaders.csv_dialect import COMMENT, Dialect, first_rows, rows_of, sniff
from corpusmill.crawlers.loaders.csv_lines import COMMENTS, Encoded, csv_records
from corpusmill.crawlers.loaders.streams import is_compressed, open_decompressed
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.labels import codec_of, name_of
from corpusmill.schemas.decoding.texts import codec_of_text
from corpusmill.schemas.errors import DataError

_HEAD_BYTES: Final = 1 << 20
_OTHER_FORMATS: Final = (b"<", b"{", b"[{", b"%PDF", b"PK\x03\x04", b"PAR1")
_WIDE: Final = ("utf-16", "utf-32")
_SHIFTED: Final = frozenset(("hz", "iso2022_jp", "iso2022_kr"))
"""Encodings in which the byte of a quote or a comma may be part of a letter."""
_MIXED: Final = frozenset(("big5hkscs", "cp932", "gb18030"))
"""Encodings in which the byte of ``|`` or a backslash may be part of a letter."""
_STRAY: Final = b"\0\x1a"
_INVALID: Final = "corpusmill.invalid"
codecs.register_error(_INVALID, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


class Layout(NamedTuple):
    """What the beginning of a file says about all of it: encoding, dialect, columns, and where the records begin."""

    codec: str
    dialect: Dialect
    columns: tuple[str, ...]
    first: int
    has_cr_lines: bool
    width: int

    @property
    def is_converted(self) -> bool:
        """Whether the bytes are read as UTF-8, because they do not show where a field ends."""
        is_mixed = self.codec in _MIXED and (self.dialect.delimiter == "|" or self.dialect.escape is not None)
        return self.codec.startswith(_WIDE) or self.codec in _SHIFTED or is_mixed

    @property
    def encoded(self) -> Encoded:
        """How the records are read."""
        return Encoded("utf-8" if self.is_converted else self.codec, name_of(self.codec))


class Chosen(NamedTuple):
    """What a recipe says about a file: names of the text and the id, and the rest if it is not to be recognized."""

    names: tuple[str, ...]
    encoding: str | None
    delimiter: str | None
    quote: str | None
    columns: tuple[str, ...] | None


def layout_of(path: str, chosen: Chosen) -> Layout:
    """Return the layout of the file at *path*.

    Raises:
        DataError: The file is empty, or no table.
    """
    with open_decompressed(path) as stream:
        data = beginning(stream)
    is_cut = len(data) == _HEAD_BYTES
    if not data.strip():
        raise DataError("the file is empty", kind="empty")
    if _is_no_text(data) and not (codec_of(chosen.encoding or "") or "").startswith(_WIDE):
        raise DataError("the content is binary, not a table of text", kind="not_text")
    codec = codec_of_text(_whole_lines(data) if is_cut else data, encoding=chosen.encoding)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_OTHER_FORMATS):
        raise DataError(
            f"begins with `{data.strip()[:12].decode('ascii', 'replace')}`, not with a header", kind="not_csv"
        )
    text = data.decode(codec, "replace")
    mark = 1 if text.startswith("\ufeff") else 0
    text = text[mark:]
    given = None if chosen.columns is None else len(chosen.columns)
    dialect = sniff(
        text, delimiter=chosen.delimiter, quote=chosen.quote, names=chosen.names, columns=given, is_cut=is_cut
    )
    rows = first_rows(text, dialect, is_cut=is_cut)
    if not rows:
        raise DataError("no row can be read", kind="not_csv")
    columns = chosen.columns or tuple(_distinct(rows[0]))
    width = max(len(columns), len(rows[0]))
    layout = Layout(codec, dialect, columns, 0, _has_cr_lines(text, dialect), width)
    first = len(text[: dialect.skipped].encode(layout.encoded.codec, "replace"))
    first += len("\ufeff".encode()) if mark and codec == "utf-8" else 0
    if chosen.columns is None:
        with opened(path, layout, 0) as lines:
            lines.read(first)
            records = csv_records(lines, dialect, encoded=layout.encoded, width=0, start=first, end=-1)
            header = next((record for record in records if record.kind != COMMENTS), None)
        if header is None:
            raise DataError("the header cannot be read", kind="not_csv")
        first = header.offset + header.length
    return layout._replace(first=first)


def _is_no_text(data: bytes) -> bool:
    """Return whether *data* is binary, not only for a few null characters, whose rows are set aside."""
    if not is_binary(data):
        return False
    others = data.translate(None, _STRAY)
    return len(others) < 0.9 * len(data) or is_binary(others)


def _has_cr_lines(text: str, dialect: Dialect) -> bool:
    """Return whether lines of *text* end with a carriage return alone."""
    head = text[dialect.skipped :]
    second = next((row.first for index, row in enumerate(rows_of(head, dialect, max_rows=2)) if index == 1), None)
    lines = io.StringIO(head, newline="")
    first = "".join(lines.readline() for _ in range(second or 1))
    return first.endswith("\r")


def beginning(stream: BinaryIO) -> bytes:
    """Return the first bytes of *stream*; a compressed one may break off before."""
    data = b""
    while len(data) < _HEAD_BYTES:
        try:
            piece = stream.read1(_HEAD_BYTES - len(data))  # type: ignore[attr-defined]
        except DataError:
            if not data:
                raise
            break
        if not piece:
            break
        data += piece
    return data


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1] or data


def _distinct(names: list[str]) -> Iterator[str]:
    """Yield the names of a header; a missing or repeated one gets the number of its column."""
    taken: set[str] = set()
    for number, name in enumerate(names, 1):
        name = name.strip().lstrip(f"{COMMENT} " if number == 1 else " ") or f"column_{number}"
        name = f"{name}_{number}" if name in taken else name
        taken.add(name)
        yield name


def opened(path: str, layout: Layout, start: int) -> BinaryIO:
    """Open the file at its first record, or at *start*; some encodings, and lines that end with CR, are converted."""
    first = max(start, layout.first)
    if layout.is_converted or layout.has_cr_lines:
        stream: BinaryIO = io.BufferedReader(_Converted(open_decompressed(path), layout), 1 << 18)
        stream.read(first)
        return stream
    stream = open_decompressed(path)
    if is_compressed(path):
        stream.read(first)
    else:
        stream.seek(first)
    return stream


class _Converted(io.RawIOBase):
    """A stream in UTF-8 with line feeds. Bytes that are not valid in its encoding become bytes that UTF-8 has not."""

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(layout.codec)(_INVALID) if layout.is_converted else None
        self._has_cr_lines = layout.has_cr_lines
        self._is_first = True
        self._ends_with_cr = False
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            data = self._stream.read1(1 << 18)  # type: ignore[attr-defined]
            self._rest = self._converted(data)
            if not data and not self._rest:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _converted(self, data: bytes) -> bytes:
        if self._decoder is not None:
            text = self._decoder.decode(data, final=not data)
            text = text.removeprefix("\ufeff") if self._is_first else text
            self._is_first = self._is_first and not text
            data = text.encode(errors="surrogatepass")
        if not self._has_cr_lines:
            return data
        if self._ends_with_cr and data.startswith(b"\n"):
            data = data[1:]
        self._ends_with_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def close(self) -> None:
        self._stream.close()
        super().close()
