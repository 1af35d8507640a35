"""A message of HL7 v2: its delimiters, character set, segments, fields and escapes (HL7 v2.5.1, chapter 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError

_LINES: Final = re.compile(r"[\r\n]+")
_CHARSETS: Final = {
    "ASCII": "utf-8",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    **{f"8859/{part}": f"iso-8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 15)},
    "8859/1": "windows-1252",
    "8859/9": "windows-1254",
    "ISO IR6": "utf-8",
    "ISO IR14": "shift_jis",
    "ISO IR87": "iso-2022-jp",
    "KS X 1001": "euc-kr",
    "CNS 11643-1992": "big5",
    "BIG-5": "big5",
    "GB 18030-2000": "gb18030",
}
"""Encodings of table 0211. Latin 1 and 5 are read as the Windows code pages that contain them."""


@dataclass(frozen=True)
class Segment:
    """A segment; fields are numbered as in the standard."""

    name: str
    fields: tuple[str, ...]

    def raw(self, number: int) -> str:
        """Return field *number* as it stands in the message; empty if it is absent or explicitly null (``""``)."""
        value = self.fields[number] if number < len(self.fields) else ""
        return "" if value == '""' else value


@dataclass(frozen=True)
class Message:
    """A parsed message.

    Args:
        delimiters: Separators of fields, components, repetitions and subcomponents, and the escape character.
        encoding: Of the bytes of ``\\X..\\`` escapes.
    """

    segments: tuple[Segment, ...]
    component: str
    repetition: str
    escape: str
    subcomponent: str
    field: str
    encoding: str = "utf-8"

    @property
    def header(self) -> Segment:
        """The segment MSH."""
        return self.segments[0]

    def repetitions(self, value: str) -> list[str]:
        """Return the repetitions of a field."""
        return value.split(self.repetition) if value and self.repetition else [value] if value else []

    def components(self, value: str) -> list[str]:
        """Return the components of a repetition, unescaped; of a component with parts, the first part."""
        parts = value.split(self.component) if self.component else [value]
        return [self.text(part.split(self.subcomponent)[0] if self.subcomponent else part) for part in parts]

    def component_of(self, value: str, number: int) -> str:
        """Return component *number* (from 1) of the first repetition of *value*; empty if there is none."""
        first = next(iter(self.repetitions(value)), "")
        parts = self.components(first) if first else []
        return parts[number - 1].strip() if 0 < number <= len(parts) else ""

    def text(self, value: str) -> str:
        """Return *value* without escapes. Highlighting and commands of the sender are left out."""
        if not self.escape or self.escape not in value:
            return value
        pattern = re.compile(
            rf"{re.escape(self.escape)}([A-Za-z.#][^{re.escape(self.escape)}\r\n]{{0,400}}|[A-Z])?{re.escape(self.escape)}"
        )
        return pattern.sub(lambda match: self._unescaped(match[1] or ""), value)

    def _unescaped(self, sequence: str) -> str:
        signs = {"F": self.field, "S": self.component, "T": self.subcomponent, "R": self.repetition, "E": self.escape}
        if sequence in signs:
            return signs[sequence]
        if sequence[:1] in ("X", "x"):
            return self._from_hex(sequence[1:])
        command = sequence[:3].lower()
        if command in (".br", ".ce"):
            return "\n"
        if command == ".sp":
            return "\n" * min(max(int("".join(filter(str.isdecimal, sequence))[:9] or "1"), 1), 10)
        if command == ".sk":
            return " "
        return "\n" if command in (".in", ".ti") and len(sequence) > 3 else ""

    def _from_hex(self, digits: str) -> str:
        try:
            text = bytes.fromhex(digits).decode(self.encoding, errors="replace")
        except ValueError:
            return ""
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def parse_message(data: bytes, *, encoding: str | None = None) -> Message:
    """Parse the bytes of one message.

    Args:
        encoding: Python's name of the encoding, for messages that do not state one.

    Raises:
        DataError: ``wrong_format``: no header, or no separators; ``encoding``.

    >>> message = parse_message(rb"MSH|^~\\&|LAB||||2019||ORU^R01|7" + b"\\rNTE|1||a\\\\F\\\\b\\\\.br\\\\c")
    >>> message.text(message.segments[1].raw(3))
    'a|b\\nc'
    """
    if len(data) < 8 or not data.startswith(b"MSH") or data[3:4].isalnum() or data[3:4].isspace():
        raise DataError("the message has no header `MSH` with separators", kind="wrong_format")
    stated = _stated_charset(data)
    codec = stated or encoding
    text = _decoded(data, codec)
    separator = text[3]
    signs = text[4:12].split(separator)[0].split("\r")[0].split("\n")[0]
    if not signs or any(sign.isalnum() for sign in signs[:4]):
        raise DataError("the separators of the message are not signs", kind="wrong_format")
    signs = signs[:4].ljust(4, "\0")
    segments = tuple(_segment(line, separator) for line in _joined_lines(text, separator))
    component, repetition, escape, subcomponent = (sign.strip("\0") for sign in signs)
    return Message(segments, component, repetition, escape, subcomponent, separator, codec or "utf-8")


def _segment(line: str, separator: str) -> Segment:
    fields = line.split(separator)
    name = fields[0].strip()
    if name in ("MSH", "BHS", "FHS"):
        fields.insert(1, separator)  # the separator itself is field 1
    return Segment(name, tuple(fields))


def _joined_lines(text: str, separator: str) -> Iterator[str]:
    """Yield the segments of *text*; a line that begins no segment continues the text of the one before it."""
    begins = re.compile(rf"[A-Z][A-Z0-9]{{2}}(?:{re.escape(separator)}|\Z)")
    parts: list[str] = []
    for line in _LINES.split(text):
        line = line.strip("\x0b\x1c")
        if parts and line.strip() and not begins.match(line.lstrip()) and parts[0].startswith(("OBX", "NTE")):
            parts.append(line)
            continue
        if parts:
            yield "\n".join(parts)
        parts = [line.lstrip()] if begins.match(line.lstrip()) else []
    if parts:
        yield "\n".join(parts)


def _stated_charset(data: bytes) -> str | None:
    """Return Python's name of the encoding in MSH-18; None if it states none, or one that is not known."""
    header = re.split(rb"[\r\n]", data, maxsplit=1)[0]
    fields = header.split(header[3:4])
    name = fields[17].split(b"~")[0].decode("ascii", errors="replace").strip().upper() if len(fields) > 17 else ""
    return _CHARSETS.get(name) or codec_of(name)


def _decoded(data: bytes, codec: str | None) -> str:
    if codec is not None:
        try:
            return data.decode(codec)
        except (UnicodeDecodeError, LookupError):
            if codec != "utf-8":
                raise DataError(f"the message is not in the encoding {codec} that it states", kind="encoding") from None
    return decode_text(data, encoding=None)
