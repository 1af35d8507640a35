"""The signals of one page: its headers and its markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import unescape
from typing import Final

from corpusmill.crawlers._scan import declarations
from corpusmill.crawlers.optouts import directives, preferences, rsl, tdm
from corpusmill.schemas.decoding.pages import decode_with_codec
from corpusmill.schemas.optouts import Signal

_META: Final = re.compile(rb"<(?:meta|link)(?=[\s/])(?:[^>\"']|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+", re.IGNORECASE)
_WORDS: Final = (
    *("noindex", "nofollow", "none", "noarchive", "nocache", "noai", "noimageai", "noml", "unavailable_after"),
    *("tdm-reservation", "rsl+xml"),
)
"""A tag without any of these is no signal."""
_TOO_LONG: Final = re.compile(r"&#(?:[0-9]{8,}+|[xX][0-9a-fA-F]{8,}+);?+")
"""References to invalid code points, which Python fails to parse if they have thousands of digits."""
_HEAD_BYTES: Final = 1024
_MARKUP: Final = frozenset(("", "text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"))

Fields = Sequence[tuple[str, str]]
"""Headers of a response in order: names in lower case, and values. A name may stand several times."""


def page_signals(fields: Fields, body: bytes, *, media_type: str | None, captured_at: datetime | None) -> list[Signal]:
    """Return the distinct signals of a page in a fixed order: those of its headers, then those of its markup.

    Args:
        fields: The headers of the response; empty if there are none.
        body: The decoded body. It is searched for tags if *media_type* is that of a page.
        captured_at: When the page was fetched; see `directives.is_past`.

    >>> page_signals([("x-robots-tag", "noai")], b"<meta name=robots content=noml>", media_type=None, captured_at=None)
    [Signal(kind='noai', place='header X-Robots-Tag', value='noai', applies=True), \
Signal(kind='noml', place='meta robots', value='noml', applies=True)]
    """
    markup = _markup_tags(body, media_type) if (media_type or "").partition(";")[0].strip().lower() in _MARKUP else []
    metas = [
        ((attributes.get("name") or "").strip().lower(), attributes.get("content", ""))
        for name, attributes in markup
        if name == "meta"
    ]
    signals = [
        *directives.header_signals(_values(fields, "x-robots-tag"), captured_at=captured_at),
        *preferences.signals(preferences.USAGE, _values(fields, preferences.USAGE)),
        *preferences.signals(preferences.SIGNAL, _values(fields, preferences.SIGNAL)),
        *rsl.header_signals(_values(fields, "link")),
        *(
            signal
            for name, content in metas
            for signal in directives.meta_signals(name, content, captured_at=captured_at)
        ),
        *tdm.page_signals(_stated(fields), _stated(metas)),
        *(signal for name, attributes in markup if name != "meta" for signal in rsl.link_signals(attributes)),
    ]
    return list({signal._replace(value=""): signal for signal in reversed(signals)}.values())[::-1]


def _values(fields: Iterable[tuple[str, str]], name: str) -> list[str]:
    return [value for field, value in fields if field == name]


def _stated(fields: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Return the reservations and the policies among *fields*."""
    both = list(fields)
    return _values(both, tdm.RESERVATION), _values(both, tdm.POLICY)


def _markup_tags(body: bytes, media_type: str | None) -> list[tuple[str, dict[str, str]]]:
    """Return name and attributes of each tag that may be a signal, outside comments, scripts and templates.

    Few pages have one, so a quick search over the bytes decides whether the page is scanned.
    """
    is_wide = b"\0" in body[:_HEAD_BYTES]
    if not is_wide and not _may_have_signals(body):
        return []
    # Names and directives are ASCII, which all other encodings of the web share.
    text = decode_with_codec(body, media_type)[0] if is_wide else body.decode("latin-1")
    return [(name, attributes) for name, attributes, _ in declarations(text)]


def _may_have_signals(body: bytes) -> bool:
    hits = b"\n".join(hit[0] for hit in _META.finditer(body)).decode("latin-1")
    text = (unescape(_TOO_LONG.sub("\ufffd", hits)) if "&" in hits else hits).lower()
    return any(word in text for word in _WORDS)
