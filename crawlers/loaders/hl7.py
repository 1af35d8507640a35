"""HL7 version 2 messages: reports and comments as documents, without the identifiers of their people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO, ClassVar, Final

from pydantic import Field, field_validator

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.medical.attached import attached_text, decoded_base64
from corpusmill.crawlers.loaders.medical.base import MedicalRecords, Note, parsed_day
from corpusmill.crawlers.loaders.medical.hl7_people import patient_id, people
from corpusmill.crawlers.loaders.streamed import Broken, Record
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.hl7.message import Message, Segment, parse_message
from corpusmill.crawlers.readers.hl7.stream import MAX_MESSAGE_BYTES, Piece, pieces
from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.problems import HintedValueError

_TEXT_TYPES: Final = frozenset(("TX", "FT"))
_VALUE_TYPES: Final = frozenset(("ST", "NM", "SN", "CE", "CWE", "CNE", "CF"))
_TEXTS: Final = frozenset(("TEXT", "TX", "FT", ""))
_WITHDRAWN: Final = frozenset(("D", "W", "X"))
"""OBX-11: deleted, sent by mistake (to another patient), not obtained."""
_REFUSED: Final = frozenset(("R", "X"))
"""CON-11 (table 0498): consent refused, or withdrawn."""
_DATES: Final = (("OBR", 7), ("TXA", 4), ("OBR", 22), ("OBX", 14), ("EVN", 2), ("MSH", 7))


class Hl7(MedicalRecords):
    """HL7 v2 messages that have text: observations of type TX or FT, attached documents (ED), and comments (NTE).

    A file holds one message or many, in batches (`FHS`, `BHS`) or with the bytes of MLLP around them; segments end
    with CR, LF or both. The id of a document is MSH-10, its title the service of OBR-4. Coded and numeric observations
    of such a message are in the text, too; deleted ones (OBX-11 `D`, `W`, `X`) are not. The text is de-identified.
    """

    suffixes: ClassVar[tuple[str, ...]] = packed(".hl7", ".hl7v2", ".er7", ".mllp")
    version: ClassVar[int] = 3
    about: ClassVar[About] = About(
        license="Messages carry none: set `license` in the recipe. Records of patients need consent or a waiver.",
        get="an interface engine or a laboratory system exports them; public test messages come with the guides of HL7",
        tried="messages that the tests write: MLLP, batches, all escapes, character sets, other separators",
    )

    encoding: str | None = Field(
        default=None,
        description="Encoding of messages that state none in MSH-18: a label of the WHATWG Encoding Standard. "
        "null: UTF-8, else the most likely legacy encoding, if it is clear.",
        examples=["windows-1252"],
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        if encoding is None or codec_of(encoding):
            return encoding
        raise HintedValueError("not a label of the WHATWG Encoding Standard", hint="use a label such as `windows-1252`")

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the messages that have text, and count the others as `message without text`.

        Raises:
            DataError: ``truncated``: the file ends within a batch.
        """
        open_batches: set[bytes] = set()
        for piece in pieces(stream):
            if piece.data is None:
                message = f"{name}: the message is larger than {MAX_MESSAGE_BYTES:,} bytes"
                yield Broken(f"{name}:{piece.offset}".encode(), "too_large", message, offset=piece.offset)
            elif piece.data[:3] in (b"FHS", b"BHS", b"BTS", b"FTS"):
                counts["header or trailer of a batch"] += 1
                if piece.data[1:3] == b"HS":
                    open_batches.add(piece.data[:1])
                else:
                    open_batches.discard(piece.data[:1])
            elif piece.is_cut:
                yield Broken(piece.data, "truncated", f"{name}: the file ends within the message", offset=piece.offset)
            else:
                yield from self._record(piece, piece.data, name, counts)
        if open_batches:
            missing = " and ".join(sorted(kind.decode() + "TS" for kind in open_batches))
            raise DataError(f"the file ends within a batch: {missing} is missing", kind="truncated")

    def _record(self, piece: Piece, data: bytes, name: str, counts: Counter[str]) -> Iterator[Record | Broken]:
        try:
            message = parse_message(data, encoding=codec_of(self.encoding) if self.encoding else None)
        except DataError as error:
            yield Broken(data, error.kind, f"{name}: {error.message}", offset=piece.offset)
            return
        source_id = message.component_of(message.header.raw(10), 1) or None
        if refusal := self._refusal(message):
            yield Broken(data, *refusal, source_id=source_id, offset=piece.offset)
        elif text := _text(message, counts):
            yield self.published(_note(message, text, data, source_id, piece.offset))
        else:
            counts["message without text"] += 1

    def _refusal(self, message: Message) -> tuple[str, str] | None:
        for segment in message.segments:
            if segment.name == "CON" and message.component_of(segment.raw(11), 1) in _REFUSED:
                return "consent_denied", "CON-11 says that the patient refused consent, or withdrew it"
            code = {"TXA": 18, "ARV": 3}.get(segment.name)
            if code is not None and message.component_of(segment.raw(code), 1) in self.restricted:
                return "restricted", f"{segment.name}-{code} restricts the use of the message"
        return None


def _note(message: Message, text: str, data: bytes, source_id: str | None, offset: int) -> Note:
    header = message.header
    return Note(
        native=data,
        text=text,
        source_id=source_id,
        known=people(message),
        title=_title(message),
        patient=patient_id(message),
        day=next((day for name, number in _DATES for day in [_day(message, name, number)] if day), None),
        metadata={"message_type": "^".join(message.components(header.raw(9))[:2]), "hl7_version": header.raw(12)[:8]},
        offset=offset,
    )


def _day(message: Message, name: str, number: int) -> date | None:
    segment = next((segment for segment in message.segments if segment.name == name), None)
    return parsed_day(segment.raw(number)) if segment is not None else None


def _title(message: Message) -> str | None:
    for segment in message.segments:
        if segment.name == "OBR" and (title := _label(message, segment.raw(4))):
            return title
    for segment in message.segments:
        if segment.name == "TXA" and (title := _label(message, segment.raw(2))):
            return title
    return None


def _label(message: Message, value: str) -> str:
    """Return the words of a coded value: its text, its alternate text, or the code."""
    parts = message.components(next(iter(message.repetitions(value)), ""))
    parts += [""] * 5
    return (parts[1] or parts[4] or parts[0]).strip()


def _text(message: Message, counts: Counter[str]) -> str:
    """Return the text of *message*; empty if it has neither TX, FT nor NTE text."""
    lines: list[str] = []
    has_text, heading = False, ""
    for segment in message.segments:
        if segment.name == "NTE" and (comment := _formatted(message, segment.raw(3))):
            lines.append(comment)
            has_text = True
        elif segment.name == "OBX" and message.component_of(segment.raw(11), 1) not in _WITHDRAWN:
            kind = message.component_of(segment.raw(2), 1)
            label = _label(message, segment.raw(3))
            value = _observation(message, segment, kind, label, counts)
            if kind in (*_TEXT_TYPES, "ED") and value:
                has_text = True
                lines += [] if label == heading or not label else ["", label]
                heading = label
            if value:
                lines.append(value)
        elif segment.name == "OBR":
            heading = ""
    return "\n".join(lines).strip() if has_text else ""


def _observation(message: Message, segment: Segment, kind: str, label: str, counts: Counter[str]) -> str:
    raw = segment.raw(5)
    if kind in _TEXT_TYPES:
        return _formatted(message, raw)
    if kind == "ED":
        return _attached(message, raw, counts)
    if kind not in _VALUE_TYPES:
        return ""
    if kind in ("CE", "CWE", "CNE", "CF"):
        value = ", ".join(filter(None, (_label(message, one) for one in message.repetitions(raw))))
    elif kind == "SN":
        value = " ".join(filter(None, message.components(raw)))
    else:
        value = ", ".join(message.text(one).strip() for one in message.repetitions(raw))
    units = message.component_of(segment.raw(6), 1)
    return f"{label}: {value} {units}".strip() if label and value else value


def _formatted(message: Message, value: str) -> str:
    lines = "\n".join(message.text(one) for one in message.repetitions(value)).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _attached(message: Message, value: str, counts: Counter[str]) -> str:
    """Return the text of encapsulated data (ED); what has none that can be read is counted."""
    _, kind, subtype, encoding, data = (value.split(message.component, 4) + [""] * 5)[:5]
    if "/" in subtype or "/" in kind:
        media_type = subtype if "/" in subtype else kind
    else:
        media_type = f"text/{subtype or 'plain'}" if kind.upper() in _TEXTS else f"{kind}/{subtype}"
    data = data.split(message.component)[0]
    try:
        content = decoded_base64(data) if encoding.upper() == "BASE64" else _bytes(message, data, encoding)
        return attached_text(content, media_type.lower()) if content else ""
    except DataError as error:
        counts[f"attachment {'without text' if error.kind == 'not_text' else 'that cannot be decoded'}"] += 1
        return ""


def _bytes(message: Message, data: str, encoding: str) -> bytes:
    if encoding.upper() == "HEX":
        try:
            return bytes.fromhex(data)
        except ValueError as error:
            raise DataError("not hexadecimal", kind="encoding") from error
    return message.text(data).encode()
