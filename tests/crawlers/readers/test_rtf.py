"""RTF as text: what word processors and clinical systems write."""

from __future__ import annotations

import pytest

from corpusmill.crawlers.readers.rtf import MAX_DEPTH, rtf_text
from corpusmill.schemas.errors import DataError


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"\pard One\par\pard Two\line three\par", "One\nTwo\nthree"),
        (rb"{\b Bold} and {\i italic}", "Bold and italic"),
        (rb"\ansicpg1250 \'b3\'f3d\'9f", "łódź"),
        (rb"\ansicpg932 \'93\'fa\'96\'7b", "日本"),
        (rb"\u26085?\u-10179?\u-8704?", "日😀"),
        (rb"\uc0\u233 x\uc2\u233\'c3\'a9y", "éxéy"),
        (rb"{\uc0 \u233}\u233?z", "ééz"),
        (rb"a\~b\_c\-d \{e\} \\f", "a\u00a0b-cd {e} \\f"),
        (rb"{\header Page}{\footer 1}{\pict\wmetafile8 0102}{\*\generator x}{\info{\title t}}text", "text"),
        (rb"seen {\v hidden}{\deleted gone}today", "seen today"),
        (rb"\v hidden\v0 shown", "shown"),
        (rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}", "link"),
        (rb"\trowd dose\cell 5 mg\cell\row", "dose\t5 mg"),
        (b"\\bin6 {{{\\{{text", "text"),
        (b"wrapped\r\n at any place", "wrapped at any place"),
        (rb"unclosed {\b group", "unclosed group"),
        (rb"closed}} twice", "closed twice"),
    ],
)
def test_what_is_read(body: bytes, text: str) -> None:
    """Text stands as a reader sees it."""
    assert rtf_text(rb"{\rtf1\ansi{\fonttbl{\f0\fswiss Arial;}}{\colortbl;\red0;}" + body + b"}") == text


def test_groups_without_end_are_refused() -> None:
    """A word processor nests few."""
    assert rtf_text(b"{\\rtf1 " + b"{" * 900 + b"a") == "a"
    with pytest.raises(DataError, match="nested"):
        rtf_text(b"{\\rtf1 " + b"{" * (MAX_DEPTH + 1))
    with pytest.raises(DataError, match="not RTF"):
        rtf_text(b"text")
