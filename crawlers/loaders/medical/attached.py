"""Documents attached to medical records: text, HTML, RTF, clinical documents (CDA), also gzipped."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from typing import Final

from lxml import etree

from corpusmill.crawlers.loaders.streams import GZIP_MAGIC
from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.crawlers.readers.rtf import is_rtf, rtf_text
from corpusmill.crawlers.readers.xml import local_name, parsed
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError

MAX_ATTACHMENT: Final = 32_000_000
_MARKUP: Final = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|div|p|table|span|br|h\d)\b", re.I | re.S
)
_CDA: Final = re.compile(rb"<(?:\w+:)?ClinicalDocument[\s>]")
_HEAD_BYTES: Final = 1 << 16
_TEXTUAL: Final = ("application/xhtml+xml", "application/xml", "application/json", "application/markdown")
_HTML_OF_CDA: Final = {"paragraph": "p", "list": "ul", "item": "li", "content": "span", "caption": "p", "linkHtml": "a"}


def decoded_base64(data: str) -> bytes:
    """Decode base64 with white space anywhere, with or without padding.

    Raises:
        DataError: ``encoding``: it is not base64.
    """
    joined = "".join(data.split()).rstrip("=")
    try:
        return base64.b64decode(
            joined + "=" * (-len(joined) % 4), altchars=b"-_" if "-" in joined else None, validate=True
        )
    except (binascii.Error, ValueError) as error:
        raise DataError("not base64", kind="encoding") from error


def attached_text(content: bytes, media_type: str = "", *, charset: str | None = None) -> str:
    """Return the text of *content*, whose type is recognized by its first bytes before it is taken from *media_type*.

    Raises:
        DataError: ``not_text``: it is of another type, such as PDF or an image; ``too_large`` or ``truncated`` when
            decompressed; ``encoding``; or an error of its reader.
    """
    if content.startswith(GZIP_MAGIC):
        content = _gunzipped(content)
    if len(content) > MAX_ATTACHMENT:
        raise DataError(f"the attachment is larger than {MAX_ATTACHMENT:,} bytes", kind="too_large")
    if is_rtf(content):
        return rtf_text(content)
    if _CDA.search(content, 0, _HEAD_BYTES):
        return cda_text(content)
    kind = media_type.partition(";")[0].strip().casefold()
    if kind and not kind.startswith("text/") and kind not in _TEXTUAL and kind != "application/gzip":
        raise DataError(f"{kind} has no text that is read", kind="not_text")
    if is_binary(content[:4096]) and "utf-16" not in (charset or "").lower():
        raise DataError("the attachment is binary", kind="not_text")
    text = decode_text(content, encoding=charset)
    is_markup = kind in ("text/html", "application/xhtml+xml", "text/xml", "application/xml") or _MARKUP.match(text)
    return plain_text(text) if is_markup else text.replace("\r\n", "\n").replace("\r", "\n").strip()


def cda_text(data: bytes) -> str:
    """Return titles and narrative of the sections of a CDA document. Its header, which has the people, is left out.

    Raises:
        DataError: ``not_xml``, ``entities``, ``too_large``; or, for a body that is no XML, as `attached_text`.
    """
    root = parsed(data)
    body = next((one for one in root.iter("{*}nonXMLBody")), None)
    if body is not None:
        text = next((one for one in body if local_name(one) == "text"), None)
        if text is None or text.get("representation") != "B64":
            return "" if text is None else "".join(text.itertext()).strip()
        content = decoded_base64("".join(text.itertext()))
        if _CDA.search(content, 0, _HEAD_BYTES) or content.startswith(GZIP_MAGIC):
            raise DataError("a clinical document is nested in another one", kind="too_deep")
        return attached_text(content, text.get("mediaType") or "")
    parts: list[str] = []
    for section in root.iter("{*}section"):
        for child in section:
            if local_name(child) == "title":
                parts.append(" ".join("".join(child.itertext()).split()))
            elif local_name(child) == "text":
                parts.append(_narrative(child))
    return "\n".join(part for part in parts if part)


def _narrative(text: etree._Element) -> str:
    for element in text.iter():
        name = local_name(element)
        if name:
            element.tag = _HTML_OF_CDA.get(name, name)
    text.tag = "div"
    text.tail = None
    etree.cleanup_namespaces(text)
    return plain_text(etree.tostring(text, encoding="unicode", method="html"))


def _gunzipped(content: bytes) -> bytes:
    decoder = zlib.decompressobj(wbits=31)
    try:
        data = decoder.decompress(content, MAX_ATTACHMENT + 1)
    except zlib.error as error:
        raise DataError(f"the gzip stream is damaged: {error}", kind="truncated") from error
    if not decoder.eof and len(data) <= MAX_ATTACHMENT:
        raise DataError("the gzip stream ends in the middle", kind="truncated")
    return data
