"""The license in the XMP packet of a PDF."""

from __future__ import annotations

import re
import zlib
from typing import Final

from corpusmill.schemas.licenses import spdx

_PACKET: Final = re.compile(rb"<x:xmpmeta\b.{0,500000}?</x:xmpmeta>", re.DOTALL)
_STREAM: Final = re.compile(rb"/Type\s*/Metadata\b[^\0]{0,400}?stream\r?\n")
_ELEMENTS: Final = (
    ("cc:license", re.compile(r"<cc:license\b(.{0,2000}?)(?:</cc:license>|/>)", re.DOTALL)),
    ("cc:license", re.compile(r"\bcc:license=([\"'][^\"']{0,500})")),
    (
        "xmpRights:WebStatement",
        re.compile(r"<xmpRights:WebStatement\b(.{0,2000}?)</xmpRights:WebStatement>", re.DOTALL),
    ),
    ("xmpRights:WebStatement", re.compile(r"\bxmpRights:WebStatement=([\"'][^\"']{0,500})")),
    ("xmpRights:UsageTerms", re.compile(r"<xmpRights:UsageTerms\b(.{0,5000}?)</xmpRights:UsageTerms>", re.DOTALL)),
    ("dc:rights", re.compile(r"<dc:rights\b(.{0,5000}?)</dc:rights>", re.DOTALL)),
)
_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>]+")
_MAX_PACKET: Final = 2_000_000


def license_of(data: bytes) -> tuple[str, str] | None:
    """Return the SPDX expression of the license in the XMP packet of the file *data*, and the property that names it.

    >>> license_of(b'<x:xmpmeta><cc:license rdf:resource="http://creativecommons.org/licenses/by/4.0/"/></x:xmpmeta>')
    ('CC-BY-4.0', 'xmp:cc:license')
    """
    for packet in _packets(data):
        for name, element in _ELEMENTS:
            for value in element.findall(packet):
                words = " ".join(re.sub(r"<[^>]*>|^[^>]*>", " ", value).split())
                for candidate in (*_ADDRESS.findall(value), words):
                    if license := spdx(candidate.rstrip(".,;)")):
                        return license, f"xmp:{name}"
    return None


def _packets(data: bytes) -> list[str]:
    """Return the packets, the last one first: a later version of the file appends its own."""
    found = list(_PACKET.findall(data))
    for stream in list(_STREAM.finditer(data))[-3:]:
        if b"Flate" in stream[0]:
            try:
                plain = zlib.decompressobj().decompress(data[stream.end() :], _MAX_PACKET)
            except zlib.error:
                continue
            found += _PACKET.findall(plain)
    return [packet.decode("utf-8", "replace") for packet in reversed(found)]
