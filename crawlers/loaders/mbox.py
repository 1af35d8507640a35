"""Mail: mbox files, as archives of mailing lists are, and single messages (`.eml`, Maildir)."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message
from typing import BinaryIO, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.authors import Authored
from corpusmill.crawlers.loaders.base import cuts
from corpusmill.crawlers.loaders.mbox_lengths import RawMessage, joined, states_lengths
from corpusmill.crawlers.loaders.streamed import Broken, Record
from corpusmill.crawlers.loaders.streams import is_compressed, open_decompressed, packed
from corpusmill.crawlers.readers.mail import header, is_cut, message_of, plain_text_of, text_of
from corpusmill.crawlers.readers.mail_digest import messages_in, messages_in_text
from corpusmill.schemas.dates import stated
from corpusmill.schemas.errors import DataError

MAX_MESSAGE_BYTES: Final = 64_000_000
"""A larger message is `error.too_large`; most servers accept 25 MB."""
_HEAD_BYTES: Final = 1 << 18
_LINE_BYTES: Final = 1 << 20
_DAY: Final = rb"Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|\d{4}-\d\d"
_BEGINNING: Final = re.compile(
    rb"From \S+ [^\n]{0,100}?\b(?:" + _DAY + rb")[^\n]{0,60}?\b(?:\d\d:\d\d|\d{4})\b|From MAILER_DAEMON|From - "
)
_ENVELOPE: Final = re.compile(
    rb"From \S+(?: at \S+)? {1,4}(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d"
    rb"(?::\d\d)?[^\n]{0,20}\d{4}"
)
"""A complete envelope line. It begins a message also where a program left out the empty line before it."""
_ESCAPED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_HEADER: Final = re.compile(rb"[!-9;-~]{1,80}:")


_ADDRESS: Final = re.compile(r"([^\s<>(),;:\"@]{1,80})(?:@| at | \(at\) )([^\s<>(),;:\"@]{1,200})", re.IGNORECASE)
"""An address, also as the archives of Mailman write it: `ann at example.org (Ann)`."""


class Mbox(Authored):
    """Messages of mail; the messages of a digest are documents of their own. Names and addresses of receivers are not
    read, and senders only for pseudonyms; attachments are counted.
    """

    version: ClassVar[int] = 2

    suffixes: ClassVar[tuple[str, ...]] = packed(".mbox", ".mbx", ".eml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="none in the messages; name one in the recipe if the list has one",
        get="the archive page of a mailing list (Mailman, Hyperkitty and public-inbox offer mbox files)",
        tried="made messages of each kind: encodings, MIME, quotes, signatures",
    )

    keep: tuple[Literal["quotes", "signatures"], ...] = Field(
        default=(),
        description="Optional parts: lines that are quoted from other messages; signatures.",
        examples=[["quotes"]],
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is an mbox file."""
        return _BEGINNING.match(head) is not None and _HEADER.match(head.partition(b"\n")[2]) is not None

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return byte ranges of a plain file; a message belongs to the slice in which its envelope line begins.

        A file whose messages state their length is read from its beginning.
        """
        with open_decompressed(path) as stream:
            is_divided = not is_compressed(path) and not states_lengths(_head(stream))
        return cuts(path) if is_divided else [(0, -1)]

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the messages.

        Raises:
            DataError: ``wrong_format``: the file begins neither with an envelope line nor with a header.
        """
        messages = _messages(stream, start, end)
        if start == 0 and states_lengths(_head(stream)):
            messages = joined(messages, max_bytes=MAX_MESSAGE_BYTES)
        for raw in messages:
            if raw.data is None:
                message = f"the message is larger than {MAX_MESSAGE_BYTES:,} bytes"
                yield Broken(b"%d" % raw.offset, "too_large", message, offset=raw.offset)
                continue
            try:
                yield from self._records(raw.data, raw.offset, counts, is_last=raw.is_last)
            except DataError as error:
                yield Broken(raw.data, error.kind, error.message, offset=raw.offset)

    def _records(self, data: bytes, offset: int, counts: Counter[str], *, is_last: bool) -> Iterator[Record]:
        """Yield the message as a record, or the messages of the digest that it is.

        Raises:
            DataError: It is encrypted, too complex, or truncated.
        """
        envelope, _, rest = data.partition(b"\n") if data.startswith(b"From ") else (b"", b"", data)
        message = message_of(_ESCAPED.sub(rb"\1", rest))
        if is_last and not data.endswith(b"\n") and is_cut(message, rest):
            raise DataError("the file ends within the message", kind="truncated")
        sent = stated(header(message, "date")) or stated(envelope.decode("latin-1").partition("  ")[2])
        whole = self._record(message, data, offset)
        inner = messages_in(message) or messages_in_text(plain_text_of(message), title=whole.title or "")
        if not inner:
            yield replace(
                whole, text=text_of(message, keep=frozenset(self.keep), counts=counts) or None, published_at=sent
            )
            return
        counts["digests"] += 1
        for number, one in enumerate(inner, start=1):
            text = text_of(one, keep=frozenset(self.keep), counts=counts)
            record = self._record(one, b"%d\n" % number + data, offset)
            yield replace(
                record,
                text=text or None,
                source_id=record.source_id or (whole.source_id and f"{whole.source_id}#{number}"),
                published_at=stated(header(one, "date")) or sent,
                metadata=record.metadata | {"list": whole.metadata["list"], "digest": whole.source_id or ""},
            )

    def _record(self, message: Message, native: bytes, offset: int) -> Record:
        """Return what the headers of *message* say."""
        references = header(message, "in-reply-to") or header(message, "references").rpartition(" ")[2]
        return Record(
            native=native,
            text=None,
            source_id=header(message, "message-id").strip("<> ") or None,
            title=header(message, "subject") or None,
            metadata={
                "list": header(message, "list-id").partition("<")[2].strip("> "),
                "in_reply_to": references.strip("<> "),
                "language": header(message, "content-language"),
                "author": self.author(_sender(message), place="mail"),
            },
            offset=offset,
        )


def _head(stream: BinaryIO) -> bytes:
    """Return the next bytes of *stream* without consuming them; none if it breaks off there."""
    with contextlib.suppress(DataError):
        return bytes(stream.peek(_HEAD_BYTES)) if hasattr(stream, "peek") else b""
    return b""


def _is_envelope(line: bytes, following: bytes, follows_blank: bool) -> bool:
    """Return whether *line* begins a message, and not a sentence such as `From the start in 2019`."""
    has_headers = _HEADER.match(following) is not None or following.startswith(b">From ")
    if _ENVELOPE.match(line):
        return has_headers or (follows_blank and not following.strip())
    return follows_blank and has_headers and _BEGINNING.match(line) is not None


def _sender(message: Message) -> str:
    """Return the address of the author of *message*, else the name; the same for both ways to write an address."""
    written = header(message, "from")[:1000]
    address = _ADDRESS.search(written)
    return f"{address[1]}@{address[2]}" if address else written


def _messages(stream: BinaryIO, start: int, end: int) -> Iterator[RawMessage]:
    """Yield the messages that begin in ``[start, end)``. A file without envelope lines is one message.

    Raises:
        DataError: ``wrong_format``.
    """
    at_line = follows_blank = start == 0
    if start:
        stream.seek(max(0, start - 3))
        before = stream.read(min(3, start))
        at_line, follows_blank = before.endswith(b"\n"), before.endswith((b"\n\n", b"\n\r\n"))
    position, begin = start, 0 if start == 0 else -1
    lines: list[bytes] = []
    size = 0
    following = stream.readline(_LINE_BYTES)
    while line := following:
        following = stream.readline(_LINE_BYTES)
        if at_line and line.startswith(b"From ") and (position == 0 or _is_envelope(line, following, follows_blank)):
            if begin >= 0 and size:
                yield RawMessage(b"".join(lines) if size <= MAX_MESSAGE_BYTES else None, begin)
            if 0 <= end <= position:
                return
            begin, lines, size = position, [], 0
        elif position == 0 and not _HEADER.match(line):
            raise DataError("not mail: it begins neither with `From ` nor with a header", kind="wrong_format")
        if begin >= 0:
            size += len(line)
            if size <= MAX_MESSAGE_BYTES:
                lines.append(line)
            else:
                lines = []
        position += len(line)
        at_line, follows_blank = line.endswith(b"\n"), at_line and line in {b"\n", b"\r\n"}
    if begin >= 0 and size:
        yield RawMessage(b"".join(lines) if size <= MAX_MESSAGE_BYTES else None, begin, is_last=True)
