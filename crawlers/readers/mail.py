"""A mail message as text: its parts, and what is quoted, signed or appended in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import CloseBoundaryNotFoundDefect, HeaderParseError
from email.header import decode_header
from email.message import Message
from typing import Final

from lxml import etree, html

from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.errors import DataError

MAX_PARTS: Final = 200
"""Parts with parts. The standard library parses them recursively; a digest of a mailing list has about 50."""
_QUOTE: Final = re.compile(r"^[ \t]{0,3}(?:[A-Za-z]{1,3})?>")
_WROTE: Final = re.compile(
    r"\b(?:wrote|writes|said|schrieb|a écrit|escribió|escreveu|ha scritto|schreef|пишет|написал\w*)\b", re.IGNORECASE
)
_DATED: Final = re.compile(r"\A(?:On|Am|Le|El|Em|Il|Op|At|In)\b|\d{4}|\d\d:\d\d")
_FORWARDED: Final = re.compile(
    r"^-{2,} ?(?:Original Message|Forwarded [Mm]essage|Ursprüngliche Nachricht|Message d'origine)[^\n]*$"
    r"|^_{20,}\nFrom: |^From: [^\n]+\n(?:Sent|Date): [^\n]+\n(?:To|Cc|Subject): ",
    re.MULTILINE,
)
_SIGNATURE: Final = re.compile(r"^--[ \t]?$", re.MULTILINE)
_LIST: Final = "mailing list|Mailing-?[Ll]ist|list info|unsubscribe|To UNSUBSCRIBE"
_FOOTER: Final = re.compile(
    rf"^[_=-]{{20,}}[ \t]*\n[^\n]*(?:{_LIST})[^\n]*(?:\n[^\n]*){{0,8}}\Z"
    r"|^(?:To unsubscribe|To UNSUBSCRIBE|For additional commands), (?:send|email|e-mail)[^\n]*(?:\n[^\n]*){0,4}\Z",
    re.MULTILINE,
)
_PGP_HEADER: Final = re.compile(r"^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[A-Za-z]+: [^\n]*\n)*\n?", re.MULTILINE)
_PGP_SIGNATURE: Final = re.compile(
    r"^-----BEGIN PGP SIGNATURE-----\n.*?(?:^-----END PGP SIGNATURE-----$|\Z)", re.M | re.S
)
_PGP_KEY: Final = re.compile(
    r"^-----BEGIN PGP PUBLIC KEY BLOCK-----\n.*?(?:^-----END PGP PUBLIC KEY BLOCK-----$|\Z)", re.M | re.S
)
_PGP_MESSAGE: Final = re.compile(r"\A\s*-----BEGIN PGP MESSAGE-----$", re.MULTILINE)
_SCRUBBED: Final = re.compile(
    r"^-{10,} next part -{10,}[ \t]*\n(?:An? [^\n]{0,40}attachment was scrubbed\.\.\.[ \t]*\n"
    r"(?:(?:Name|Type|Size|Desc|URL|Url|Skipped)[ \t]*:[^\n]*(?:\n|\Z))*)?",
    re.MULTILINE,
)
"""What Mailman writes in place of attachments."""
_CODE_PAGE: Final = re.compile(r"(?:x-)?(?:cp|ibm)[-_]?(\d{3,4})", re.IGNORECASE)
_ENRICHED: Final = re.compile(r"<param>[^<]*</param>|<(?!<)/?[A-Za-z-]{1,60}>|(?<=<)<", re.IGNORECASE)
_TEXTS: Final = frozenset(("text/plain", "text/html", "text/markdown", "text/x-markdown", "text/enriched"))
_UUENCODED: Final = re.compile(r"^begin [0-7]{3,4} [^\n]+\n(?:[\x20-\x60]{1,62}\n)+(?:`?\n)?end[ \t]*$", re.MULTILINE)
_CITED: Final = (
    ".//blockquote[@type='cite'] | .//blockquote[contains(@class, 'quote')] | .//div[contains(@class, 'gmail_quote')]"
    " | .//div[@id='appendonsend']/following-sibling::* | .//div[contains(@class, 'moz-cite-prefix')]"
)
_SIGNED: Final = ".//*[contains(@class, 'moz-signature') or contains(@class, 'gmail_signature')]"
_ENCRYPTED: Final = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))


def message_of(data: bytes) -> Message:
    """Parse a message.

    Raises:
        DataError: ``too_complex``: it has more than `MAX_PARTS` parts with parts.
    """
    if data.lower().count(b"multipart/") > MAX_PARTS:
        raise DataError(f"the message has more than {MAX_PARTS} parts with parts", kind="too_complex")
    return message_from_bytes(data)


def is_cut(message: Message, data: bytes) -> bool:
    """Return whether *data*, the bytes of *message*, end within its headers, a part, or base64 of four characters."""
    _, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    length = str(message.get("content-length", "")).strip()
    if not body or (length.isdecimal() and len(length) < 12 and int(length) > len(body) + data.count(b"\r\n") + 1):
        return True
    for part in message.walk():
        if any(isinstance(defect, CloseBoundaryNotFoundDefect) for defect in part.defects):
            return True
        payload = "" if part.is_multipart() else str(part.get_payload())
        if (
            str(part.get("content-transfer-encoding", "")).strip().lower() == "base64"
            and len("".join(payload.split())) % 4
        ):
            return True
    return False


def header(message: Message, name: str) -> str:
    """Return the header *name* decoded (RFC 2047), in one line; empty if there is none.

    >>> header(message_from_bytes(b"Subject: =?iso-8859-1?q?Caf=E9?= =?utf-8?q?_one?="), "subject")
    'Café one'
    """
    value = message.get(name)
    if value is None:
        return ""
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError):
        parts = [(str(value), None)]
    words = (part if isinstance(part, str) else _decoded(part, charset) for part, charset in parts)
    return " ".join("".join(words).encode("utf-8", "replace").decode().split())


def text_of(message: Message, *, keep: frozenset[str], counts: Counter[str]) -> str:
    """Return the text of *message*: its parts of text, without attachments, which are counted.

    Args:
        keep: ``quotes``, ``signatures``: parts of the text that stay.

    Raises:
        DataError: ``encrypted``.
    """
    texts = (_tidied(text, keep) for text in _texts(message, keep, counts))
    return "\n\n".join(text for text in texts if text)


def plain_text_of(message: Message) -> str:
    """Return the text of a *message* that is plain text in one part, as it was written; else nothing."""
    if message.is_multipart() or message.get_content_type() != "text/plain":
        return ""
    return _text(message, "text/plain", frozenset())


def _texts(part: Message, keep: frozenset[str], counts: Counter[str]) -> Iterator[str]:
    kind = part.get_content_type()
    if kind in _ENCRYPTED:
        raise DataError("the message is encrypted", kind="encrypted")
    if part.is_multipart():
        children = [child for child in part.get_payload() if isinstance(child, Message)]
        if kind == "multipart/alternative":
            yield from _best(children, keep)
        else:
            for child in children:
                yield from _texts(child, keep, counts)
    elif kind.startswith("multipart/"):  # its boundary is missing or wrong
        yield _text(part, "text/plain", keep)
    elif kind in _TEXTS and part.get_content_disposition() != "attachment":
        yield _text(part, kind, keep)
    else:
        counts["attachments"] += 1


def _best(parts: list[Message], keep: frozenset[str]) -> Iterator[str]:
    """Yield the texts of the plain form of a message, else of its last form."""
    ordered = sorted(parts, key=lambda part: part.get_content_type() != "text/plain")
    for part in ordered:
        texts = [text for text in _texts(part, keep, Counter()) if text.strip()]
        if texts:
            yield from texts
            return


def _text(part: Message, kind: str, keep: frozenset[str]) -> str:
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    text = _decoded(data, part.get_content_charset()).replace("\r\n", "\n").replace("\r", "\n")
    if kind == "text/html":
        return plain_text(_own_markup(text, keep))
    if kind == "text/enriched":
        return re.sub(r"(?<!\n)\n(?!\n)", " ", _ENRICHED.sub("", text.rstrip("\n")))
    if str(part.get_param("format", "")).lower() == "flowed":
        return _unflowed(text, joins_words=str(part.get_param("delsp", "")).lower() == "yes")
    return text


def _decoded(data: bytes, label: str | None) -> str:
    codec = codec_of(label) or _mail_codec(label) if label else None
    if codec:
        try:
            return data.decode(codec)
        except (UnicodeDecodeError, LookupError):
            return decode(data, f"text/plain; charset={label}")
    return decode(data, "text/plain")


def _mail_codec(label: str) -> str | None:
    """Return the codec of a *label* that mail has, but not the web; None if there is none.

    >>> _mail_codec("cp-850"), _mail_codec("UTF-7"), _mail_codec("hex")
    ('cp850', 'utf-7', None)
    """
    if label.lower() in {"utf-7", "unicode-1-1-utf-7"}:
        return "utf-7"
    page = _CODE_PAGE.fullmatch(label)
    return f"cp{page[1]}" if page else None


def _own_markup(markup: str, keep: frozenset[str]) -> str:
    """Return *markup* without quotes and signatures, unless they stay."""
    paths = [path for name, path in (("quotes", _CITED), ("signatures", _SIGNED)) if name not in keep]
    try:
        root = html.document_fromstring(markup)
    except (etree.ParserError, ValueError):
        return ""
    for path in paths:
        for element in root.xpath(path):
            if element.getparent() is not None:
                element.drop_tree()
    return etree.tostring(root, encoding="unicode", method="html")


def _unflowed(text: str, *, joins_words: bool) -> str:
    """Join the lines of paragraphs that a program wrapped (RFC 3676).

    >>> _unflowed("one \\ntwo\\n> q \\n> r\\n-- \\nme", joins_words=False)
    'one two\\n> q r\\n-- \\nme'
    """
    lines: list[str] = []
    flows, depth = False, 0
    for line in text.split("\n"):
        quote = len(line) - len(line.lstrip(">"))
        words = line[quote:].removeprefix(" ")
        if flows and quote == depth and lines and words != "-- ":
            lines[-1] = (lines[-1][:-1] if joins_words else lines[-1]) + words
        else:
            lines.append(">" * quote + (" " if quote else "") + words)
        flows, depth = words.endswith(" ") and words != "-- ", quote
    return "\n".join(lines)


def _tidied(text: str, keep: frozenset[str]) -> str:
    """Return *text* without signatures of any kind, footers of lists, attachments and, unless they stay, quotes.

    Raises:
        DataError: ``encrypted``.
    """
    if _PGP_MESSAGE.search(text):
        raise DataError("the message is encrypted", kind="encrypted")
    if "-----BEGIN PGP SIGNED" in text:
        text = re.sub(r"^- (?=-)", "", _PGP_HEADER.sub("", text), flags=re.MULTILINE)
    text = _UUENCODED.sub("", _SCRUBBED.sub("", _PGP_KEY.sub("", _PGP_SIGNATURE.sub("", text))))
    text = _FOOTER.sub("", text.rstrip())
    if "signatures" not in keep and (mark := _SIGNATURE.search(text)):
        text = text[: mark.start()]
    lines = _without_attributions(text.split("\n"))
    if "quotes" in keep:
        return _trimmed("\n".join(lines))
    text = "\n".join(lines)
    if forwarded := _FORWARDED.search(text):
        text = text[: forwarded.start()]
    return _trimmed("\n".join(line for line in text.split("\n") if not _QUOTE.match(line)))


def _without_attributions(lines: list[str]) -> list[str]:
    """Return *lines* without those that say who wrote the quote that follows.

    >>> _without_attributions(["On Monday,", "Ann <a@b.c> wrote:", "", "> Yes"])
    ['', '> Yes']
    """
    dropped: set[int] = set()
    last = -1  # the last line that is not blank
    was_quote = False
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        is_quote = _QUOTE.match(line) is not None
        if is_quote and not was_quote and last >= 0 and lines[last].rstrip().endswith(":"):
            above = lines[last - 1] if last > 0 else ""
            if _WROTE.search(lines[last][-200:]):
                dropped.add(last)
                if above.strip() and _DATED.search(above[:200]) and not _DATED.search(lines[last][:200]):
                    dropped.add(last - 1)
        last, was_quote = index, is_quote
    return [line for index, line in enumerate(lines) if index not in dropped]


def _trimmed(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n")
